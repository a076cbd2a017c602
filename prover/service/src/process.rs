//! What a process that holds record data gives up: it leaves no core dump, and no other process of its user may read its memory.
//!
//! Memory is not locked: what the kernel pages out is the operator's to encrypt or to switch off (docs/secrets.md).

use crate::error::ServiceError;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps off, for this process and those that it starts: the limit cannot be raised again, and the kernel is told not to
/// dump this process even where `core_pattern` names a program. Call it before anything is read.
///
/// # Errors
/// The kernel refuses: nothing must be served then.
pub fn harden() -> Result<(), ServiceError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|_| ServiceError::Bug("the kernel does not let core dumps be switched off"))?;
    // After the limit: a dump that a program receives ignores the limit, but not this.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|_| ServiceError::Bug("the kernel does not let this process be made undumpable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{dumpable_behavior, getrlimit};

    #[test]
    fn a_hardened_process_leaves_no_core_dump() -> Result<(), Box<dyn std::error::Error>> {
        harden()?;
        assert_eq!(dumpable_behavior()?, DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        Ok(())
    }
}
