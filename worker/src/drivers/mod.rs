//! The provider types this worker can serve.

pub mod container;
pub mod external;
pub mod libvirt;
