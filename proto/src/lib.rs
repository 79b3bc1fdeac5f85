//! The public API and the worker protocol of Sprout, generated from `sprout/<area>/v1/*.proto`.
//!
//! The protos are the documentation; this crate only gives the generated code its module paths, and carries the
//! descriptors for server reflection and for tests that must see every rpc.

mod redacted;

pub use redacted::REDACTED;

/// Serialized `google.protobuf.FileDescriptorSet` of what the server serves: everything but [`DriverService`] and [`SimService`].
///
/// [`DriverService`]: provider::driver_service_server::DriverService
/// [`SimService`]: sim::sim_service_server::SimService
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Generated code, in the package paths of the protos (generated messages refer to each other through them).
#[allow(missing_docs, clippy::all, clippy::pedantic)] // documented in the protos; the generator's style is its own
pub mod sprout {
    pub mod appliance {
        pub mod v1 {
            tonic::include_proto!("sprout.appliance.v1");
        }
    }
    pub mod audit {
        pub mod v1 {
            tonic::include_proto!("sprout.audit.v1");
        }
    }
    pub mod catalogue {
        pub mod v1 {
            tonic::include_proto!("sprout.catalogue.v1");
        }
    }
    pub mod cleanup {
        pub mod v1 {
            tonic::include_proto!("sprout.cleanup.v1");
        }
    }
    pub mod config {
        pub mod v1 {
            tonic::include_proto!("sprout.config.v1");
        }
    }
    pub mod event {
        pub mod v1 {
            tonic::include_proto!("sprout.event.v1");
        }
    }
    pub mod group {
        pub mod v1 {
            tonic::include_proto!("sprout.group.v1");
        }
    }
    pub mod job {
        pub mod v1 {
            tonic::include_proto!("sprout.job.v1");
        }
    }
    pub mod pool {
        pub mod v1 {
            tonic::include_proto!("sprout.pool.v1");
        }
    }
    pub mod provider {
        pub mod v1 {
            tonic::include_proto!("sprout.provider.v1");
        }
    }
    pub mod shepherd {
        pub mod v1 {
            tonic::include_proto!("sprout.shepherd.v1");
        }
    }
    pub mod sim {
        pub mod v1 {
            tonic::include_proto!("sprout.sim.v1");
        }
    }
    pub mod stats {
        pub mod v1 {
            tonic::include_proto!("sprout.stats.v1");
        }
    }
    pub mod task {
        pub mod v1 {
            tonic::include_proto!("sprout.task.v1");
        }
    }
    pub mod template {
        pub mod v1 {
            tonic::include_proto!("sprout.template.v1");
        }
    }
    pub mod usage {
        pub mod v1 {
            tonic::include_proto!("sprout.usage.v1");
        }
    }
    pub mod user {
        pub mod v1 {
            tonic::include_proto!("sprout.user.v1");
        }
    }
    pub mod worker {
        pub mod v1 {
            tonic::include_proto!("sprout.worker.v1");
        }
    }
    pub mod workflow {
        pub mod v1 {
            tonic::include_proto!("sprout.workflow.v1");
        }
    }
}

pub use sprout::{
    appliance::v1 as appliance, audit::v1 as audit, catalogue::v1 as catalogue, cleanup::v1 as cleanup,
    config::v1 as config, event::v1 as event, group::v1 as group, job::v1 as job, pool::v1 as pool,
    provider::v1 as provider, shepherd::v1 as shepherd, sim::v1 as sim, stats::v1 as stats, task::v1 as task,
    template::v1 as template, usage::v1 as usage, user::v1 as user, worker::v1 as worker, workflow::v1 as workflow,
};
