//! A process that holds a signing key, and proofs with what opens them, keeps its memory to itself: it leaves no core dump, and no
//! other process of its user may read it. As the service does.

/// Switches core dumps off. Call it before anything but the arguments is read.
///
/// # Errors
/// The kernel refuses: nothing must be signed then.
#[cfg(target_os = "linux")]
pub(crate) fn keep() -> Result<(), &'static str> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|_| "the kernel does not let core dumps be switched off; nothing was done")?;
    // After the limit: a dump that a program receives ignores the limit, but not this.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|_| "the kernel does not let this process be made undumpable; nothing was done")
}

/// Elsewhere whoever runs it switches core dumps off.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep() -> Result<(), &'static str> {
    Ok(())
}
