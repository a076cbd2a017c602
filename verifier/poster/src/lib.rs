//! Posts Nightingale's settlements and answers to an EVM chain, each once, whatever happens to the process.
//!
//! Start at [`Poster`]: it signs, writes down in its [`outbox`], sends, and calls a settlement done when the chain's state
//! at the wanted depth says that the claim's nullifiers are used. [`administration`] has the calls that payers and
//! authorities make before there is anything to settle; [`cohort`] registers datasets and logs proven answers about them.

mod account;
pub mod administration;
pub mod audit;
mod clock;
pub mod cohort;
mod consents;
pub mod deployment;
mod deposit;
pub mod endorsement;
mod error;
mod key;
pub mod node;
mod notice;
pub mod outbox;
pub mod payer;
mod poster;
mod receive;
pub mod report;
mod settlement;

pub use account::{Account, KEY_VARIABLE};
pub use endorsement::EndorsementFile;
pub use error::PosterError;
pub use key::KeyRegistration;
pub use node::{Cap, Node};
pub use notice::Notice;
pub use outbox::{Mined, Outbox};
pub use poster::{Again, How, Posted, Poster, Terms};
pub use receive::Received;
pub use settlement::{Claim, Entry, Outcome, Refusal, Settlement};
