//! Cohort statistics on a chain in this process, with real halo2 proofs of the narrow class.

mod case;
mod deployed;
mod encoding;
mod fixture;
mod forge;
mod gas;
mod generated;
mod logging;
mod node;
mod registering;
mod world;

pub(crate) use gas::measure;
