//! The worker that an event is about.

crate::change::change! {
    up: ["alter table events add column worker text"],
    down: ["alter table events drop column worker"],
}
