//! The schema of the database as a chain of changes, each applied once and in order, on PostgreSQL and on SQLite.
//!
//! A released change is never edited; what it made is extended first and contracted in a later release.

mod change;
mod m20261122_000001_installation;
mod m20261122_000002_users;
mod m20261122_000003_tokens;
mod m20261122_000004_providers;
mod m20261122_000005_templates;
mod m20261122_000006_pools;
mod m20261122_000007_appliances;
mod m20261122_000008_appliance_endpoints;
mod m20261122_000009_workers;
mod m20261122_000010_workflows;
mod m20261122_000011_tasks;
mod m20261122_000012_events;
mod m20261122_000013_leadership;
mod m20261122_000014_jobs;
mod m20261122_000015_job_runs;
mod m20261122_000016_join_tokens;
mod m20261122_000017_authority;
mod m20261122_000018_user_groups;
mod m20261122_000019_audit_records;
mod m20261122_000020_shepherds;
mod m20261122_000021_usage_days;
mod m20261122_000022_machines;
mod m20261122_000023_cleanup_rules;
mod m20261122_000024_room_changes;
mod m20261128_000100_tasks_due_of_provider;
mod m20261128_000110_template_deletion;
mod m20261128_000111_late_work;
mod m20261128_000120_template_preparation;
mod m20261128_000121_pool_update;
mod m20261128_000200_catalogue;
mod m20261128_000210_said_of_templates;
mod m20261128_000300_event_audience;
mod m20261128_000310_samples;
mod m20261128_000320_event_worker;
mod m20261128_000330_machine_orders;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// All changes, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_installation::Migration),
            Box::new(m20261122_000002_users::Migration),
            Box::new(m20261122_000003_tokens::Migration),
            Box::new(m20261122_000004_providers::Migration),
            Box::new(m20261122_000005_templates::Migration),
            Box::new(m20261122_000006_pools::Migration),
            Box::new(m20261122_000007_appliances::Migration),
            Box::new(m20261122_000008_appliance_endpoints::Migration),
            Box::new(m20261122_000009_workers::Migration),
            Box::new(m20261122_000010_workflows::Migration),
            Box::new(m20261122_000011_tasks::Migration),
            Box::new(m20261122_000012_events::Migration),
            Box::new(m20261122_000013_leadership::Migration),
            Box::new(m20261122_000014_jobs::Migration),
            Box::new(m20261122_000015_job_runs::Migration),
            Box::new(m20261122_000016_join_tokens::Migration),
            Box::new(m20261122_000017_authority::Migration),
            Box::new(m20261122_000018_user_groups::Migration),
            Box::new(m20261122_000019_audit_records::Migration),
            Box::new(m20261122_000020_shepherds::Migration),
            Box::new(m20261122_000021_usage_days::Migration),
            Box::new(m20261122_000022_machines::Migration),
            Box::new(m20261122_000023_cleanup_rules::Migration),
            Box::new(m20261122_000024_room_changes::Migration),
            Box::new(m20261128_000100_tasks_due_of_provider::Migration),
            Box::new(m20261128_000110_template_deletion::Migration),
            Box::new(m20261128_000111_late_work::Migration),
            Box::new(m20261128_000120_template_preparation::Migration),
            Box::new(m20261128_000121_pool_update::Migration),
            Box::new(m20261128_000200_catalogue::Migration),
            Box::new(m20261128_000210_said_of_templates::Migration),
            Box::new(m20261128_000300_event_audience::Migration),
            Box::new(m20261128_000310_samples::Migration),
            Box::new(m20261128_000320_event_worker::Migration),
            Box::new(m20261128_000330_machine_orders::Migration),
        ]
    }
}
