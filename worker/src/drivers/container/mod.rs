//! Containers on a Docker or Podman engine.
