//! Tests of executor.
