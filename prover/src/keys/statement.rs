//! The constraint systems that this version's claim keys are for, by digest: a key file carries its system, and says
//! here whether it is the statement's. Building the system only to compare would take longer than loading the key.
//!
//! When the circuit changes, the test below fails and prints what to write here. All keys must then be made anew.

use crate::{ProveError, reduction};
use nightingale_circuits::{
    claim::{SizeClass, circuit},
    r1cs::R1cs,
};

/// The constraint system of a class, which is the one that keys are made for.
///
/// # Errors
/// [`ProveError::Bug`]: this file is not for the circuit.
pub fn constraint_system(class: SizeClass) -> Result<R1cs, ProveError> {
    let r1cs = circuit::r1cs(class);
    if reduction::digest(&r1cs) == system_digest(class) {
        return Ok(r1cs);
    }
    Err(ProveError::Bug("keys/statement.rs is not for this circuit".to_owned()))
}

/// [`digest`](crate::reduction::digest) of the constraint system of a class.
#[must_use]
pub const fn system_digest(class: SizeClass) -> [u8; 32] {
    match class {
        SizeClass::Two => TWO,
        SizeClass::Eight => EIGHT,
    }
}

const TWO: [u8; 32] = [
    0xdb, 0xf7, 0xc8, 0x8f, 0x36, 0x16, 0xee, 0x2d, 0x3b, 0xed, 0x40, 0xec, 0x0f, 0x62, 0x42, 0xf8, 0x29,
    0x59, 0x91, 0xec, 0x2c, 0xab, 0x7d, 0x2a, 0x26, 0xbd, 0xed, 0xb4, 0x07, 0x74, 0x74, 0xc6,
];

const EIGHT: [u8; 32] = [
    0xad, 0x49, 0xc2, 0x3c, 0xa6, 0x76, 0x99, 0xb0, 0x7e, 0xfe, 0xf7, 0xed, 0x81, 0xb9, 0x57, 0x8f, 0xae,
    0x99, 0x5b, 0x20, 0x6f, 0xf9, 0x9b, 0x70, 0x05, 0xe3, 0x24, 0x5e, 0x21, 0x75, 0x11, 0xa7,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_constraint_systems_of_the_circuits() {
        for class in SizeClass::ALL {
            let digest = reduction::digest(&circuit::r1cs(class));
            let name = class.name();
            assert!(
                system_digest(class) == digest,
                "for {name} write into keys/statement.rs: {digest:#04x?}"
            );
        }
    }
}
