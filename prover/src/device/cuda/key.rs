//! A Groth16 key on the GPU: the whole of a proof's sums is one call for a batch of assignments.

#![expect(unsafe_code, reason = "functions and handles of a foreign library")]

use super::{
    abi,
    handles::{Opened, Point, Shared, limbs, no_point},
};
use crate::{
    ProveError,
    device::{DeviceError, Summation, Sums},
    groth16,
    matrix::Matrix,
    progress::{Phase, Progress, tell},
};
use nightingale_circuits::Fr;
use std::{ptr, sync::Arc};

/// The key. Its host copy is not needed any more.
pub(super) struct ResidentKey {
    device: Arc<Opened>,
    handle: Shared,
    variables: usize,
}

/// A number of things as the library counts them.
fn count(n: usize) -> Result<u32, DeviceError> {
    u32::try_from(n).map_err(|_| DeviceError::Input("a key of 2^32 parts".to_owned()))
}

fn matrix(matrix: &Matrix) -> Result<abi::Matrix, DeviceError> {
    Ok(abi::Matrix {
        starts: matrix.starts().as_ptr(),
        terms: matrix.terms().as_ptr().cast(),
        table: limbs(matrix.coefficients()),
        rows: count(matrix.len())?,
        table_count: count(matrix.coefficients().len())?,
    })
}

fn query<P>(columns: Option<&[u32]>, points: &[P]) -> Result<abi::Query, DeviceError> {
    if columns.is_some_and(|columns| columns.len() != points.len()) {
        return Err(DeviceError::Input("a query whose columns are not as many as its points".to_owned()));
    }
    Ok(abi::Query {
        points: points.as_ptr().cast(),
        columns: columns.map_or(ptr::null(), <[u32]>::as_ptr),
        count: count(points.len())?,
    })
}

impl ResidentKey {
    /// Copies the key to the GPU, and makes the multiples of its points that the memory allows.
    pub(super) fn load(device: &Arc<Opened>, key: &groth16::Key) -> Result<Self, DeviceError> {
        let system = key.system();
        let domain = system.domain();
        let words = |element: Fr| element.0.0;
        let parts = abi::KeyParts {
            a: matrix(system.a())?,
            b: matrix(system.b())?,
            c: matrix(system.c())?,
            a_query: query(Some(&key.a.columns), &key.a.points)?,
            b_g1_query: query(Some(&key.b_g1.columns), &key.b_g1.points)?,
            b_g2_query: query(Some(&key.b_g2.columns), &key.b_g2.points)?,
            l_query: query(Some(&key.l.columns), &key.l.points)?,
            h_query: query(None, &key.h)?,
            variables: count(system.variables())?,
            public_inputs: count(system.public())?,
            log_size: domain.size().trailing_zeros(),
            reserved: 0,
            root: words(domain.root()),
            shift: words(domain.shift()),
        };
        let mut handle = ptr::null_mut();
        // SAFETY: the device is open; `parts` points to slices of `key`, which outlives the call, with their own lengths; a
        // matrix has rows + 1 starts, and as many terms as the last of them says.
        let code = unsafe { (device.library.functions.key_load)(device.handle.0, &parts, &mut handle) };
        device.result(code)?;
        Ok(Self { device: Arc::clone(device), handle: Shared(handle), variables: system.variables() })
    }

    /// How many proofs the GPU takes at a time as things are.
    fn capacity(&self) -> Result<usize, DeviceError> {
        let mut proofs = 0;
        // SAFETY: the handle is live, the pointer is to a local.
        let code = unsafe { (self.device.library.functions.key_capacity)(self.handle.0, &mut proofs) };
        self.device.result(code)?;
        Ok(usize::try_from(proofs).unwrap_or(usize::MAX).max(1))
    }

    fn piece(&self, assignments: &[&[Fr]]) -> Result<Vec<Sums>, ProveError> {
        let pointers: Vec<*const u64> = assignments.iter().map(|assignment| limbs(assignment)).collect();
        let mut out = vec![abi::Sums::ZERO; assignments.len()];
        let (sums, batch, length) =
            (self.device.library.functions.key_sums, pointers.len() as u64, self.variables as u64);
        // SAFETY: the handle is live, each pointer is to an assignment of the key's length, `out` has room for each's sums.
        let code = unsafe { sums(self.handle.0, pointers.as_ptr(), batch, length, out.as_mut_ptr()) };
        self.device.result(code)?;
        if let Some(row) = out.iter().map(|sums| sums.broken_row).find(|row| *row != abi::NO_ROW) {
            return Err(ProveError::Unsatisfied { row: usize::try_from(row).unwrap_or(usize::MAX) });
        }
        let points = |sums: &abi::Sums| {
            Some(Sums {
                a: Point::from_limbs(&sums.a)?,
                b_g1: Point::from_limbs(&sums.b_g1)?,
                b_g2: Point::from_limbs(&sums.b_g2)?,
                c: Point::from_limbs(&sums.c)?,
            })
        };
        out.iter().map(|sums| points(sums).ok_or_else(|| no_point(&self.device).into())).collect()
    }
}

impl Drop for ResidentKey {
    fn drop(&mut self) {
        // SAFETY: the handle is live and nobody has it after this.
        unsafe { (self.device.library.functions.key_free)(self.handle.0) }
    }
}

impl Summation for ResidentKey {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        for assignment in assignments {
            if assignment.len() != self.variables {
                let what = format!("{} values for {} columns", assignment.len(), self.variables);
                return Err(DeviceError::Input(what).into());
            }
        }
        tell(progress, Phase::Transforming)?;
        let mut sums = Vec::with_capacity(assignments.len());
        let capacity = if assignments.is_empty() { 1 } else { self.capacity()? };
        for piece in assignments.chunks(capacity) {
            // Between pieces is where a batch can be stopped.
            tell(progress, Phase::Multiplying)?;
            sums.extend(self.piece(piece)?);
        }
        Ok(sums)
    }
}
