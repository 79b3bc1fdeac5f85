//! Virtual machines on a libvirt daemon.
