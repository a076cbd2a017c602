//! Real proofs, one of each part: made, verified, and refused for other instances or a changed byte.

use super::case::{Form, LAYOUT, table};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr, G1Affine},
    plonk::{VerifyingKey, create_proof, keygen_pk, keygen_vk, verify_proof},
    poly::{
        commitment::ParamsProver,
        kzg::{
            commitment::{KZGCommitmentScheme, ParamsKZG},
            multiopen::{ProverSHPLONK, VerifierSHPLONK},
            strategy::SingleStrategy,
        },
    },
    transcript::{Blake2bRead, Blake2bWrite, Challenge255, TranscriptReadBuffer, TranscriptWriterBuffer},
};
use nightingale_circuits::cohort::registration::{Part, RegistrationCircuit, Shape, plan};
use rand_chacha::ChaCha20Rng;

fn verifies(
    params: &ParamsKZG<Bn256>,
    key: &VerifyingKey<G1Affine>,
    instances: &[Vec<Fr>],
    proof: &[u8],
) -> bool {
    let mut transcript = Blake2bRead::<_, G1Affine, Challenge255<_>>::init(proof);
    let instances: Vec<&[Fr]> = instances.iter().map(Vec::as_slice).collect();
    let params = params.verifier_params();
    let strategy = SingleStrategy::new(params);
    verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
        params,
        key,
        strategy,
        &[&instances],
        &mut transcript,
    )
    .is_ok()
}

#[test]
fn proves_and_verifies_each_part() {
    let params = ParamsKZG::<Bn256>::setup(LAYOUT.k, StdRng::seed_from_u64(1));
    let form = Form { rows: 60, dimension: true, subjects: 100_000 };
    let table = table(form, &mut <ChaCha20Rng as rand::SeedableRng>::seed_from_u64(2));
    let plan = plan(table.schema(), LAYOUT);
    for part in Part::ALL {
        let statement = plan.iter().find(|statement| statement.part() == part).unwrap();
        let blank = RegistrationCircuit::blank(Shape { layout: LAYOUT, part });
        let key = keygen_pk(&params, keygen_vk(&params, &blank).unwrap(), &blank).unwrap();
        let circuit = RegistrationCircuit::new(LAYOUT, statement, &table, None);
        let instances = statement.instances(form.rows);
        let mut transcript = Blake2bWrite::<_, G1Affine, Challenge255<_>>::init(Vec::new());
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            &params,
            &key,
            &[circuit],
            &[&[&instances[0]]],
            StdRng::seed_from_u64(3),
            &mut transcript,
        )
        .unwrap();
        let proof = transcript.finalize();
        assert!(verifies(&params, key.get_vk(), &instances, &proof), "{part:?}");
        let mut others = instances.clone();
        others[0][0] += Fr::one();
        assert!(!verifies(&params, key.get_vk(), &others, &proof), "{part:?}");
        let mut changed = proof.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(!verifies(&params, key.get_vk(), &instances, &changed), "{part:?}");
    }
}
