//! Registration: commitments and proofs of a table, and of each version of its consents.

use super::{
    CohortDataset, CohortKeyStore, Progress, Srs, Step,
    commit::Salt,
    dataset::column,
    private::PrivateTable,
    prove::{Column, prove},
    tell,
};
use crate::ProveError;
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Committed, Mode, Query, Size, Table,
        circuit::Unprovable,
        columns::{committed, values},
        registration::{self, RegistrationCircuit, Source, Statement},
    },
};
use nightingale_verifier::cohort::{
    CircuitName, Commitment, ConsentVersion, Dataset, LinkedProof, TableRecord,
    registration::registration_context,
};
use rayon::prelude::*;
use zeroize::Zeroizing;

impl CohortDataset {
    /// Registers tables: commits to them and proves that they are well-formed. `sponsor` is who answers for them, and is part of their digests
    /// and proofs: with one, the dataset counts once it is signed ([`CohortDataset::sign`]).
    ///
    /// # Errors
    /// A table that is too large; names that clash; whatever stops a proof.
    pub fn register(
        keys: &CohortKeyStore,
        tables: Vec<Table>,
        plan: Vec<(String, Query)>,
        modes: Vec<Mode>,
        sponsor: Option<Address>,
        progress: Progress<'_>,
    ) -> Result<Self, ProveError> {
        let number = tables.len();
        let (mut records, mut private) = (Vec::with_capacity(number), Vec::with_capacity(number));
        for (place, table) in tables.into_iter().enumerate() {
            let largest = Size::Large.layout().capacity();
            let size = Size::holding(table.rows())
                .ok_or(Unprovable::Rows { rows: table.rows(), capacity: largest })?;
            let srs = keys.setup(size, progress)?;
            tell(progress, Step::Committing { table: place, tables: number })?;
            let (record, secret) = commit_table(&srs, size, table, sponsor)?;
            records.push(record);
            private.push(secret);
        }
        let mut public = Dataset::new(records, plan, modes).map_err(ProveError::Release)?;
        let plans = public
            .tables()
            .iter()
            .map(|record| registration::plan(record.schema(), record.size().layout()).len());
        let (proofs, mut done) = (plans.sum(), 0);
        for (record, secret) in public.tables_mut().iter_mut().zip(&private) {
            let mut told = |step: Step| match step {
                Step::Proving { circuit, proof, .. } => {
                    progress(Step::Proving { circuit, proof: done + proof, proofs })
                }
                other => progress(other),
            };
            prove_table(keys, record, secret, &mut told)?;
            done += record.proofs.len() + 1;
        }
        Ok(Self { public, private })
    }

    /// Revokes the consent of subjects: a new version of the consents of each table in which one of them has a row in use.
    /// Returns those tables' names. A failure leaves the dataset as it was.
    ///
    /// # Errors
    /// Whatever stops a proof.
    pub fn revoke_subjects(
        &mut self,
        keys: &CohortKeyStore,
        subjects: &[u32],
        progress: Progress<'_>,
    ) -> Result<Vec<String>, ProveError> {
        let mut revised = Vec::new();
        for (place, (record, secret)) in self.public.tables().iter().zip(&self.private).enumerate() {
            let codes = secret.table.codes(record.schema().subject());
            let used = secret.table.consent();
            let revoked = |row: &usize| used[*row] && subjects.contains(&codes[*row]);
            let rows: Vec<usize> = (0..record.rows()).filter(revoked).collect();
            if !rows.is_empty() {
                revised.push((place, revise(keys, record, secret, &rows, progress)?));
            }
        }
        let mut names = Vec::new();
        for (place, (version, table, salt)) in revised {
            let (record, secret) = (&mut self.public.tables_mut()[place], &mut self.private[place]);
            names.push(record.name().to_owned());
            record.consents.push(version);
            secret.table = table;
            secret.consent_salt = salt;
        }
        Ok(names)
    }
}

/// Commits to all columns of a table, and to its consents.
fn commit_table(
    srs: &Srs,
    size: Size,
    table: Table,
    sponsor: Option<Address>,
) -> Result<(TableRecord, PrivateTable), ProveError> {
    let columns = committed(table.schema(), size.layout());
    let salts = columns.iter().map(|_| Salt::random()).collect::<Result<Vec<_>, _>>()?;
    let commitments = columns
        .par_iter()
        .zip(&salts)
        .map(|(column, salt)| commit(srs, &table, *column, salt))
        .collect::<Result<Vec<_>, _>>()?;
    let record = TableRecord::new(table.schema().clone(), size, table.rows(), commitments, sponsor)
        .map_err(ProveError::Release)?;
    Ok((record, PrivateTable { table, salts, consent_salt: Salt::random()? }))
}

fn commit(srs: &Srs, table: &Table, column: Committed, salt: &Salt) -> Result<Commitment, ProveError> {
    let values = Zeroizing::new(values(table, srs.layout(), column));
    Commitment::new(srs.commit(&values, salt))
        .ok_or_else(|| ProveError::Bug("a column that commits to infinity".to_owned()))
}

/// Makes the registration proofs of a table, and its first version of the consents.
fn prove_table(
    keys: &CohortKeyStore,
    record: &mut TableRecord,
    secret: &PrivateTable,
    progress: Progress<'_>,
) -> Result<(), ProveError> {
    let size = record.size();
    let plan = registration::plan(record.schema(), size.layout());
    let proofs = plan.len();
    let Some((frame, others)) = plan.split_first() else {
        return Err(ProveError::Bug("a registration without a frame".to_owned()));
    };
    let srs = keys.setup(size, progress)?;
    let consent = commit(&srs, &secret.table, Committed::Consent, &secret.consent_salt)?;
    tell(progress, Step::Proving { circuit: CircuitName::Registration(frame.part()), proof: 0, proofs })?;
    let newest = Consents {
        commitments: vec![consent],
        table: &secret.table,
        salt: &secret.consent_salt,
        before: None,
    };
    let frame = prove_frame(keys, record, secret, frame, &newest, progress)?;
    let mut finished = Vec::with_capacity(others.len());
    for (place, statement) in (1..).zip(others) {
        let circuit = CircuitName::Registration(statement.part());
        let key = keys.key(circuit, size, progress)?;
        tell(progress, Step::Proving { circuit, proof: place, proofs })?;
        let source = |source: &Source| match *source {
            Source::Column(wanted) => column(record, secret, wanted, srs.points().identity),
            Source::Predecessor => {
                Err(ProveError::Bug("a proof other than a frame asks for consents".to_owned()))
            }
        };
        let columns = statement.sources().iter().map(source).collect::<Result<Vec<_>, _>>()?;
        let witness = RegistrationCircuit::new(size.layout(), statement, &secret.table, None);
        let context = registration_context(record, place, &[]);
        finished.push(prove(
            &key,
            &witness,
            &statement.instances(record.rows()),
            &columns,
            &context,
            progress,
        )?);
    }
    record.proofs = finished;
    record.consents = vec![ConsentVersion { commitment: consent, frame, signature: None }];
    Ok(())
}

/// A version of the consents that is being proven.
struct Consents<'a> {
    /// All versions, this one last.
    commitments: Vec<Commitment>,
    /// The table with this version's consents.
    table: &'a Table,
    /// This version's salt.
    salt: &'a Salt,
    /// The version before it.
    before: Option<&'a [bool]>,
}

fn prove_frame(
    keys: &CohortKeyStore,
    record: &TableRecord,
    secret: &PrivateTable,
    statement: &Statement,
    newest: &Consents<'_>,
    progress: Progress<'_>,
) -> Result<LinkedProof, ProveError> {
    let size = record.size();
    let key = keys.key(CircuitName::Registration(statement.part()), size, progress)?;
    let identity = key.srs().points().identity;
    let this = newest.commitments.last().ok_or_else(|| ProveError::Bug("no consents to prove".to_owned()))?;
    let source = |source: &Source| match *source {
        Source::Column(Committed::Consent) => {
            Ok(Column { commitment: this.point(), salt: newest.salt.clone() })
        }
        Source::Column(wanted) => column(record, secret, wanted, identity),
        Source::Predecessor if newest.before.is_some() => {
            column(record, secret, Committed::Consent, identity)
        }
        Source::Predecessor => column(record, secret, Committed::Present, identity),
    };
    let columns = statement.sources().iter().map(source).collect::<Result<Vec<_>, _>>()?;
    let witness = RegistrationCircuit::new(size.layout(), statement, newest.table, newest.before);
    let context = registration_context(record, 0, &newest.commitments);
    prove(&key, &witness, &statement.instances(record.rows()), &columns, &context, progress)
}

/// A new version of the consents without these rows, with its table and salt.
fn revise(
    keys: &CohortKeyStore,
    record: &TableRecord,
    secret: &PrivateTable,
    rows: &[usize],
    progress: Progress<'_>,
) -> Result<(ConsentVersion, Table, Salt), ProveError> {
    let schema = record.schema();
    let codes = (0..schema.columns().len()).map(|column| secret.table.codes(column).to_vec()).collect();
    let mut table = Table::new(schema.clone(), codes, secret.table.consent().to_vec())
        .map_err(|error| ProveError::Bug(format!("a registered table is refused: {error}")))?;
    table.revoke(rows);
    let plan = registration::plan(schema, record.size().layout());
    let statement =
        plan.first().ok_or_else(|| ProveError::Bug("a registration without a frame".to_owned()))?;
    let circuit = CircuitName::Registration(statement.part());
    let srs = keys.setup(record.size(), progress)?;
    tell(progress, Step::Proving { circuit, proof: 0, proofs: 1 })?;
    let salt = Salt::random()?;
    let commitment = commit(&srs, &table, Committed::Consent, &salt)?;
    let commitments = record.consents.iter().map(|consent| consent.commitment).chain([commitment]).collect();
    let newest = Consents { commitments, table: &table, salt: &salt, before: Some(secret.table.consent()) };
    let frame = prove_frame(keys, record, secret, statement, &newest, progress)?;
    Ok((ConsentVersion { commitment, frame, signature: None }, table, salt))
}
