//! The use cases of Sprout, one file per noun, and the ports they need. Knows no wire format, no SQL and no provider.

pub mod ports;
