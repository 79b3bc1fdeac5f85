//! What every driver must do, by concern. What a driver declares that it cannot do must answer "unsupported", and is
//! asserted as such.

mod change;
mod delete;
mod deploy;
mod power;
mod refuse;
mod template;

use crate::Case;

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    [deploy::cases(), power::cases(), change::cases(), template::cases(), delete::cases(), refuse::cases()].concat()
}
