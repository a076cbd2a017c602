//! `nightingale devices`: what can prove here, what cannot and why, and how fast it is.

use super::{Outcome, Trouble, say};
use clap::Args;
use nightingale::Config;
use nightingale_circuits::claim::{Request, SizeClass};
use nightingale_prover::{
    ClaimProver, Device, KeyStore, ProveError,
    device::{Figure, Selection, select, self_test},
};
use nightingale_records::synth;
use serde_json::{Value, json};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The time of a device's figures; its answers and keys come on top.
const SELF_TEST: Duration = Duration::from_secs(7);
/// The time of each size class's figure, one proof at least.
const PROOFS: Duration = Duration::from_millis(1500);
/// Proofs of a batch.
const BATCH: usize = 4;

#[derive(Args)]
pub(super) struct Devices {
    /// Print one JSON object a device.
    #[arg(long)]
    json: bool,
    /// Ask each device what is known, and measure it: about ten seconds each.
    #[arg(long)]
    self_test: bool,
    /// Measure claim proofs too, with the keys of this folder.
    #[arg(long, requires = "self_test")]
    keys: Option<PathBuf>,
    /// Only this device.
    #[arg(long)]
    device: Option<Selection>,
    /// The server's configuration, for the libraries' places and the budget.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Devices {
    pub(super) fn run(&self) -> Outcome {
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let options = config.map_or_else(select::Options::default, |config| config.device_options);
        let found = match &self.device {
            Some(device) => {
                vec![select::Found { selection: device.clone(), device: select::open(device, &options) }]
            }
            None => select::list(&options),
        };
        let mut failed = None;
        for found in found {
            let name = found.selection.to_string();
            let tested = match &found.device {
                Ok(device) if self.self_test => Some(self.test(&**device)),
                _ => None,
            };
            if let Some(Err(error)) = &tested {
                failed = Some(format!("{name}: {error}"));
            }
            let missing = found.device.err().map(|error| error.to_string());
            self.tell(&name, missing.as_deref(), tested);
        }
        failed.map_or(Ok(()), |failed| Err(Trouble::Refused(failed)))
    }

    fn tell(&self, name: &str, missing: Option<&str>, tested: Option<Result<Tested, ProveError>>) {
        let tested = tested.and_then(Result::ok);
        if self.json {
            let figures = tested.as_ref().map(|tested| tested.figures.iter().map(figure).collect::<Vec<_>>());
            let answers = tested.as_ref().map(|tested| tested.answers);
            return say(json!({
                "device": name, "present": missing.is_none(), "why": missing,
                "answers": answers, "figures": figures,
            }));
        }
        match missing {
            None => say(format_args!("{name}: present")),
            Some(why) => say(format_args!("{name}: absent: {why}")),
        }
        let Some(tested) = tested else { return };
        say(format_args!("  {} known answers are right", tested.answers));
        for figure in &tested.figures {
            let (each, rate) = (figure.each.as_secs_f64() * 1e3, figure.per_second());
            say(format_args!("  {:<48} {each:>10.3} ms {rate:>10.1} /s", figure.what));
        }
    }

    fn test(&self, device: &dyn Device) -> Result<Tested, ProveError> {
        let report = self_test(device, SELF_TEST)?;
        let mut tested = Tested { answers: report.answers, figures: report.figures };
        for class in self.keys.iter().flat_map(|_| SizeClass::ALL) {
            if let Some(keys) = &self.keys {
                tested.claims(device, keys, class)?;
            }
        }
        Ok(tested)
    }
}

fn figure(figure: &Figure) -> Value {
    json!({ "what": figure.what, "seconds": figure.each.as_secs_f64(), "per_second": figure.per_second() })
}

struct Tested {
    answers: usize,
    figures: Vec<Figure>,
}

impl Tested {
    /// Proves invented claims with real keys; each proof is verified.
    fn claims(&mut self, device: &dyn Device, keys: &Path, class: SizeClass) -> Result<(), ProveError> {
        let prover = ClaimProver::new(KeyStore::open(keys)?.claim_key(class)?, device)?;
        let invented = synth::requests(7, 60).map_err(|error| ProveError::Bug(error.to_string()))?;
        let of_class = |request: &Request| request.size_class() == Ok(class);
        let Some(request) = invented.into_iter().find(of_class) else { return Ok(()) };
        for batch in [1, BATCH] {
            let requests = vec![&request; batch];
            let (start, mut proofs) = (Instant::now(), 0u32);
            while proofs == 0 || start.elapsed() < PROOFS {
                let results =
                    prover.prove_batch(&requests, &mut rand::rng(), &mut |_| ControlFlow::Continue(()))?;
                for result in results {
                    result?;
                    proofs += 1;
                    self.answers += 1;
                }
            }
            let what = match batch {
                1 => format!("{} proof, verified", class.name()),
                _ => format!("the same in batches of {batch}"),
            };
            self.figures.push(Figure { what, each: start.elapsed() / proofs });
        }
        Ok(())
    }
}
