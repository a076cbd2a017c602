//! A backend on the crate `halo2-axiom-gpu`, which has halo2's prover in CUDA for the keys and the transcript of `halo2-axiom`.
//!
//! Of that crate one part is not used, because it cannot do our circuits: its synthesis takes circuits of one phase, and ours draw challenges
//! between two. So the columns are filled, blinded and committed here ([`Opening`]), with its sums, and its prover goes on from there.
//!
//! It also leaves out two things that hide the witness: the blinding of the permuted columns of lookups, and the random polynomial
//! beside the quotient. Our circuits have no lookups of halo2's, and one that had is refused. The random polynomial hides nothing under KZG:
//! where tau is known, both opening proofs follow from the commitments and the evaluations, which the columns' blinding makes uniform.

use halo2_axiom_gpu::{
    cuda::{HaloGpuError, utils::HALO2_GPU_CTX},
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine, G2Affine},
        group::Curve,
    },
    plonk::{GpuError, create_proof_from_advice},
    poly::{
        Device, DevicePolyExt, LagrangeCoeff, Polynomial,
        commitment::{Blind, Params, ParamsProver},
        kzg::{
            commitment::{KZGCommitmentScheme, ParamsKZG},
            multiopen::ProverSHPLONK,
        },
    },
};
use nightingale_prover::{
    ProveError,
    cohort::{
        Backend, Opening, Srs,
        backend::{Blinding, Task},
        synthesis::Advice,
    },
    device::DeviceError,
};
use openvm_cuda_common::copy::MemCopyH2D;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

const NAME: &str = "halo2-axiom-gpu";

/// `cudaErrorMemoryAllocation`, from the CUDA runtime's `driver_types.h`.
const NO_MEMORY: i32 = 2;

/// The first GPU that CUDA shows.
pub(crate) struct Gpu {
    /// Setups that were used, by k; their points stay on the GPU. Held while a proof is made: the crate proves one at a time.
    setups: Mutex<BTreeMap<u32, Arc<ParamsKZG<Bn256>>>>,
}

impl Gpu {
    /// Opens it.
    ///
    /// # Errors
    /// There is none, or its driver does not answer.
    pub(crate) fn open() -> Result<Self, DeviceError> {
        let why = "no NVIDIA GPU answers; look at nvidia-smi, and at CUDA_VISIBLE_DEVICES where it is set";
        let absent = |_| DeviceError::Absent { device: NAME.to_owned(), why: why.to_owned() };
        catch_unwind(|| HALO2_GPU_CTX.device_id).map_err(absent)?;
        Ok(Self { setups: Mutex::default() })
    }
}

impl Backend for Gpu {
    fn name(&self) -> &str {
        NAME
    }

    fn prove(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
        hides_all(task)?;
        let mut setups = self.setups.lock().unwrap_or_else(PoisonError::into_inner);
        // The crate panics where CUDA fails. Its state is its own; after a panic it is not used again.
        catch_unwind(AssertUnwindSafe(|| {
            let params =
                setups.entry(task.key.srs().layout().k).or_insert_with(|| Arc::new(setup(task.key.srs())));
            prove(params, task, blinding)
        }))
        .unwrap_or_else(|_| Err(broken("it panicked; the log says where")))
    }
}

fn broken(why: impl Into<String>) -> ProveError {
    DeviceError::Broken { device: NAME.to_owned(), why: why.into() }.into()
}

/// Refuses circuits for which this prover would not hide the witness.
fn hides_all(task: &Task<'_>) -> Result<(), ProveError> {
    let system = task.key.proving().get_vk().cs();
    if system.lookups().is_empty() && system.permutation().get_columns().is_empty() {
        return Ok(());
    }
    let what = "circuits with lookups or copies: it does not blind them".to_owned();
    Err(DeviceError::Unsupported { device: NAME.to_owned(), what }.into())
}

fn setup(srs: &Srs) -> ParamsKZG<Bn256> {
    // There is no other constructor.
    ParamsKZG::<Bn256>::new(1).from_parts(
        srs.layout().k,
        srs.powers().to_vec(),
        Some(srs.lagrange().to_vec()),
        G2Affine::generator(),
        srs.points().tau,
    )
}

fn prove(params: &ParamsKZG<Bn256>, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
    let mut resident = BTreeMap::new();
    let mut commit = |columns: &[Advice]| -> Result<Vec<G1Affine>, ProveError> {
        let mut commitments = Vec::with_capacity(columns.len());
        for column in columns {
            let values = column.values.to_device_on(&HALO2_GPU_CTX).map_err(|error| cuda(error.into()))?;
            let values = Polynomial::<Fr, LagrangeCoeff, Device>::from_device(values);
            commitments.push(params.commit_lagrange_device(&values, Blind::default()).to_affine());
            resident.insert(column.column, values.into_device_buf());
        }
        Ok(commitments)
    };
    let mut opening = Opening::new(task, &mut blinding.clone(), &mut commit)?;
    create_proof_from_advice::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _>(
        params,
        task.key.proving(),
        task.instances,
        resident.into_values().collect(),
        blinding,
        &mut opening.resume(),
    )
    .map_err(failure)?;
    Ok(opening.finish())
}

fn failure(error: GpuError) -> ProveError {
    match error {
        GpuError::HaloGpu(error) => cuda(error),
        GpuError::Cuda(error) => cuda(error.into()),
        GpuError::Canonical(error) => broken(error.to_string()),
    }
}

fn cuda(error: HaloGpuError) -> ProveError {
    let (device, why) = (NAME.to_owned(), error.to_string());
    match error {
        HaloGpuError::InsufficientGpuMemory { .. } => DeviceError::OutOfMemory { device, why },
        HaloGpuError::Cuda(error) if error.code == NO_MEMORY => DeviceError::OutOfMemory { device, why },
        HaloGpuError::Cuda(_) => DeviceError::Lost { device, why },
        _ => DeviceError::Broken { device, why },
    }
    .into()
}
