//! The tables as the rest of this crate sees them: one entity per table, without behaviour. A test compares them with the migrated schema.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::struct_excessive_bools,
    reason = "columns are described by the migrations, derives need them public, and some are only written"
)]

pub(crate) mod appliance;
pub(crate) mod appliance_endpoint;
pub(crate) mod audit_record;
pub(crate) mod authority;
pub(crate) mod catalogue_entry;
pub(crate) mod catalogue_look;
pub(crate) mod catalogue_problem;
pub(crate) mod cleanup_rule;
pub(crate) mod event;
pub(crate) mod installation;
pub(crate) mod job;
pub(crate) mod job_run;
pub(crate) mod join_token;
pub(crate) mod leadership;
pub(crate) mod machine;
pub(crate) mod pool;
pub(crate) mod provider;
pub(crate) mod room_change;
pub(crate) mod sample;
pub(crate) mod shepherd;
pub(crate) mod task;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod usage_day;
pub(crate) mod user;
pub(crate) mod user_group;
pub(crate) mod user_group_member;
pub(crate) mod user_group_provider;
pub(crate) mod worker;
pub(crate) mod workflow;
