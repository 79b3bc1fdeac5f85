//! The provider without anything around it.
