//! `nightingale keys check`, `import` and `import-ptau`: files of a ceremony, and its keys, after all that makes them worth something was checked.

use super::{
    super::{Outcome, Trouble, files, meter, say},
    export::class,
    list, list_contributions, list_setups,
};
use clap::Args;
use nightingale::CohortError;
use nightingale_circuits::{claim::SizeClass, cohort::Size};
use nightingale_prover::{
    KeyStore, ProveError,
    ceremony::{self, Beacon, Checked, CheckedPowers, FileDigest, Published, Terms},
    cohort::CohortKeyStore,
    keys::constraint_system,
};
use std::path::{Path, PathBuf};

/// The powers of tau.
#[derive(Args)]
struct Powers {
    /// The prepared `.ptau` file that the key was set up with.
    #[arg(long, value_name = "FILE")]
    ptau: PathBuf,
    /// The BLAKE2b digest of that file, 128 digits, from whoever announced it and not from the file (`b2sum`).
    #[arg(long, value_name = "DIGEST")]
    ptau_digest: FileDigest,
}

impl Powers {
    /// Maps the file, checks it and hands it over.
    fn with<T>(&self, work: impl FnOnce(&CheckedPowers<'_>) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let bytes = ceremony::load(&self.ptau)?;
        let powers = CheckedPowers::check(&bytes, &self.ptau_digest, &mut rand::rng());
        work(&powers.map_err(ProveError::from)?)
    }
}

/// Checks a file that a ceremony had.
fn checked(path: &Path, class: SizeClass, powers: &CheckedPowers<'_>) -> Result<Checked, Trouble> {
    let (file, system) = (ceremony::load(path)?, constraint_system(class)?);
    ceremony::check(&system, &file, powers, &mut rand::rng())
        .map_err(|error| Trouble::from(error).within(path))
}

#[derive(Args)]
#[command(
    after_help = "For contributors, before they contribute: a contribution divides whatever it is handed by its secret, and snarkjs does not look at all of \
                  it. And of their own file before they hand it on. docs/ceremony.md has the argument of each check."
)]
pub(in super::super) struct Check {
    /// The size class: claim-2 or claim-8.
    #[arg(long, value_parser = class)]
    class: SizeClass,
    /// The `.zkey` file: the setup's, or the last contributor's.
    #[arg(long, value_name = "FILE")]
    zkey: PathBuf,
    #[command(flatten)]
    powers: Powers,
}

impl Check {
    pub(super) fn run(&self) -> Outcome {
        let bar = meter::meter("checking the ceremony");
        let checked = self.powers.with(|powers| checked(&self.zkey, self.class, powers));
        bar.finish_and_clear();
        let checked = checked?;
        say(format_args!("{} is a key of {} and these powers", self.zkey.display(), self.class.name()));
        say(format_args!("  circuit hash {}", hex::encode(checked.circuit_hash())));
        say(format_args!("  zkey         {}", checked.digest()));
        list_contributions(checked.contributions());
        Ok(())
    }
}

#[derive(Args)]
#[command(
    after_help = "Nothing is written unless every check passes. Say who contributed with --published, --contribution or --previous: a key's chain \
                  alone does not show that nobody was left out. docs/ceremony.md has the argument of each check."
)]
pub(in super::super) struct Import {
    /// The folder of keys.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The size class: claim-2 or claim-8.
    #[arg(long, value_parser = class)]
    class: SizeClass,
    /// The ceremony's last `.zkey` file.
    #[arg(long, value_name = "FILE")]
    zkey: PathBuf,
    #[command(flatten)]
    powers: Powers,
    /// So many contributors must be in the key. Contributions that were published under one name are one contributor's, those without a name and those of
    /// --previous one's each; beacons do not count.
    #[arg(long, value_name = "NUMBER")]
    minimum_contributors: usize,
    /// What the contributors published: a file with a contribution hash and a name on each line, in order.
    #[arg(long, value_name = "FILE")]
    published: Option<PathBuf>,
    /// A published contribution hash, 128 digits, and after a blank a name; may be repeated, in order. Without the name, the one in the file is not compared.
    #[arg(long, value_name = "HASH")]
    contribution: Vec<Published>,
    /// An earlier `.zkey` file of the ceremony, which is checked like the key and which the key must continue; may be repeated. From its contributor, or with
    /// the digest that the contributor published: the contribution's hash does not cover the file.
    #[arg(long, value_name = "FILE")]
    previous: Vec<PathBuf>,
    /// The announced value of the beacon that ended the ceremony, in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = value)]
    beacon: Beaconed,
    /// The logarithm of the number of hashes that were announced for it: 10 to 30.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(10..=30))]
    beacon_iterations: u8,
}

/// A beacon's value: one argument, however many bytes.
#[derive(Clone)]
struct Beaconed(Vec<u8>);

fn value(text: &str) -> Result<Beaconed, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let value = hex::decode(digits).ok().filter(|value| !value.is_empty());
    value.map(Beaconed).ok_or_else(|| "expected hexadecimal digits".to_owned())
}

impl Import {
    pub(super) fn run(&self) -> Outcome {
        let published = self.published()?;
        let zkey = ceremony::load(&self.zkey)?;
        let bar = meter::meter("checking the ceremony");
        let store = self.powers.with(|powers| {
            let previous = self.previous.iter().map(|path| checked(path, self.class, powers));
            let terms = Terms {
                minimum: self.minimum_contributors,
                beacon: Beacon { value: self.beacon.0.clone(), iterations: self.beacon_iterations },
                published,
                previous: previous.collect::<Result<_, _>>()?,
            };
            Ok(KeyStore::import(&self.keys, self.class, &zkey, powers, &terms, &mut rand::rng())?)
        });
        bar.finish_and_clear();
        list(&store?);
        Ok(())
    }

    fn published(&self) -> Result<Vec<Published>, Trouble> {
        let mut published = match &self.published {
            Some(path) => {
                let bytes = files::read(path)?;
                let problem = |problem| Trouble::Unusable(format!("{}: {problem}", path.display()));
                let text = std::str::from_utf8(&bytes).map_err(|_| problem("is no text".to_owned()))?;
                Published::list(text).map_err(problem)?
            }
            None => Vec::new(),
        };
        published.extend(self.contribution.iter().cloned());
        Ok(published)
    }
}

#[derive(Args)]
#[command(
    after_help = "Datasets that were registered under the development setup stay there: register them anew under this one."
)]
pub(in super::super) struct ImportPtau {
    /// The folder of keys; the setup is kept in its folder `cohort`.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    #[command(flatten)]
    powers: Powers,
    /// Which sizes to make, as logarithms of their rows: 14, 17 or 20; may be repeated. A size needs as many powers.
    #[arg(long, value_name = "NUMBER", value_parser = size, required = true)]
    size: Vec<Size>,
}

fn size(text: &str) -> Result<Size, String> {
    let known = text.parse().ok().and_then(Size::from_k);
    known.ok_or_else(|| "expected 14, 17 or 20".to_owned())
}

impl ImportPtau {
    pub(super) fn run(&self) -> Outcome {
        let folder = self.keys.join("cohort");
        self.powers.with(|powers| {
            let made = meter::watched("making the setup", |progress| {
                CohortKeyStore::import(&folder, powers, &self.size, &mut rand::rng(), progress)
                    .map_err(CohortError::from)
            });
            made.map(drop).map_err(Trouble::from)
        })?;
        list_setups(&folder)
    }
}
