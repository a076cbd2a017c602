//! The contracts' interfaces as Rust types, written out so that they can be read here; a test compares them with the ABIs.

use alloy_primitives::hex;
use alloy_sol_types::SolInterface;

pub mod audit;
pub mod cohort;

pub use audit::AuditAnchors;
pub use cohort::{CohortAnswer, CohortLog, CohortVerifier};
pub use registry::{DatasetRegistration, Registry};
pub use settlement::{ClaimSettlement, Group};
pub use token::Token;
pub use verifier::ClaimVerifier;

/// One key's verifier, which has errors and no functions; documented in `interfaces/IClaimVerifier.sol`.
pub mod verifier {
    alloy_sol_types::sol! {
        #[derive(Debug, PartialEq, Eq)]
        interface ClaimVerifier {
            error MalformedEntries();
            error InputNotInField(uint256 entry, uint256 input);
            error ProofRejected();
        }
    }
}

/// Keys, payers and roots; documented in `Registry.sol` and its parents.
pub mod registry {
    alloy_sol_types::sol! {
        #[derive(Debug, PartialEq, Eq)]
        struct Key { address verifier; uint16 inputs; uint8 kind; bool disabled; uint64 activeFrom; }

        #[derive(Debug, PartialEq, Eq)]
        struct Dataset {
            address sponsor; uint8 k; uint24 rows; uint32 threshold; uint24 versions; bool confirmed; bytes32 consent;
        }

        #[derive(Debug, PartialEq, Eq)]
        struct DatasetRegistration {
            address sponsor; uint8 k; uint32 rows; uint256[] schema; uint256[] commitments; uint256[2] consent;
            uint256[][] plan;
        }

        #[derive(Debug, PartialEq, Eq)]
        struct CohortKey { address verifier; uint8 k; uint8 kind; bool disabled; }

        #[derive(Debug, PartialEq, Eq)]
        struct CohortTerms { address verifier; uint32 threshold; bytes32 columns; bytes32 consent; bool confirmed; }

        #[derive(Debug, PartialEq, Eq)]
        interface Registry {
            event AdminOffered(address indexed from, address indexed to);
            event AdminChanged(address indexed from, address indexed to);
            event RoleChanged(uint8 indexed role, address indexed account, bool held);
            event PauseChanged(address indexed by, bool paused);
            event KeyRegistered(
                bytes32 indexed digest, address indexed verifier, uint8 kind, uint256 inputs, bytes32 constantsHash,
                uint256 activeFrom
            );
            event KeyDisabled(bytes32 indexed digest);
            event PayerAdded(uint96 indexed payer, address indexed owner);
            event PayerOffered(uint96 indexed payer, address indexed to);
            event PayerOwnerChanged(uint96 indexed payer, address indexed from, address indexed to);
            event PayerPauseChanged(uint96 indexed payer, bool paused);
            event EpochPublished(uint96 indexed payer, bytes32 indexed epochRoot);
            event AccountRootPublished(uint96 indexed payer, bytes32 indexed accountRoot);
            event AuthorityChanged(address indexed authority, bool accepted);
            event ConsentRootPublished(address indexed authority, bytes32 indexed consentRoot);
            event SettlementBound(address indexed settlement);
            event DatasetRegistered(
                bytes32 indexed table, address indexed sponsor, uint256 k, uint256 rows, uint256 threshold,
                bytes32 schema
            );
            event QueryPlanned(bytes32 indexed table, bytes32 indexed query, uint256[] words);
            event DatasetConsentsPublished(
                bytes32 indexed table, uint256 indexed version, uint256 x, uint256 y
            );
            event DatasetConsentsConfirmed(bytes32 indexed table, uint256 indexed version, address indexed by);
            event CohortKeyRegistered(
                bytes32 indexed digest, address indexed verifier, uint8 kind, uint256 k, bytes32 codeHash
            );
            event CohortKeyDisabled(bytes32 indexed digest);

            error NotAdmin(address caller);
            error NotOffered(address caller);
            error RoleMissing(uint8 role, address caller);
            error ZeroAddress();
            error KeyAlreadyRegistered(bytes32 digest);
            error KeyUnknown(bytes32 digest);
            error DevelopmentKeyOnPublicChain(uint256 chainId);
            error NotTheVerifier(address verifier);
            error InputCountUnsupported(uint256 inputs);
            error KeyForges();
            error KeyPointMissing(uint256 word);
            error PayerZero();
            error PayerExists(uint96 payer);
            error NotPayerOwner(uint96 payer, address caller);
            error PayerUnknown(uint96 payer);
            error NotAuthority(address caller);
            error PublicationExpired(uint256 notAfter);
            error RootNotInField(bytes32 root);
            error RootAlreadyPublished(bytes32 root);
            error GraceTooLong(uint256 grace);
            error ConsentAgeUnsupported(uint256 age);
            error SettlementAlreadyBound(address settlement);
            error SettlementMissing(address settlement);
            error DatasetExists(bytes32 table);
            error DatasetUnknown(bytes32 table);
            error NotSponsor(bytes32 table, address caller);
            error SizeUnsupported(uint256 k, uint256 rows);
            error CommitmentCount(uint256 given, uint256 expected);
            error CommitmentMissing(uint256 commitment);
            error NotTheNextVersion(uint256 next);
            error NotTheNewestConsents(bytes32 table, uint256 newest);
            error ConsentConfirmed(bytes32 table, uint256 version);
            error SchemaMalformed(uint256 word);
            error QueryMalformed(uint256 word);
            error ColumnUnusable(uint256 column);
            error CohortKeyAlreadyRegistered(bytes32 digest);
            error CohortKeyUnknown(bytes32 digest);
            error CohortVerifierDiffers(address verifier, bytes32 codeHash);
            error DevelopmentCohortKeyOnPublicChain(uint256 chainId);

            constructor(
                address admin, bytes32 template, uint256 templateSize, uint256 epochGrace, uint256 accountGrace,
                uint256 consentGrace, uint256 consentAge
            );

            function admin() external view returns (address);
            function pendingAdmin() external view returns (address);
            function paused() external view returns (bool);
            function hasRole(uint8 role, address account) external view returns (bool held);
            function setRole(uint8 role, address account, bool held) external;
            function offerAdmin(address to) external;
            function acceptAdmin() external;
            function pause() external;
            function unpause() external;

            function verifierTemplate() external view returns (bytes32);
            function verifierTemplateSize() external view returns (uint256);
            function digestOf(bytes32 constantsHash) external view returns (bytes32 digest);
            function KEY_NOTICE() external view returns (uint256);
            function keysPendingUntil() external view returns (uint256);
            function key(bytes32 digest) external view returns (Key memory found);
            function registerKey(bytes32 digest, uint8 kind, address verifier) external;
            function disableKey(bytes32 digest) external;

            function addPayer(uint96 payer, address owner) external;
            function offerPayer(uint96 payer, address to) external;
            function acceptPayer(uint96 payer) external;
            function setPayerPaused(uint96 payer, bool paused_) external;
            function publishEpoch(uint96 payer, bytes32 epochRoot) external;
            function publishAccountRoot(uint96 payer, bytes32 accountRoot) external;
            function payerOwner(uint96 payer) external view returns (address);
            function payerPaused(uint96 payer) external view returns (bool);
            function newestEpoch(uint96 payer) external view returns (bytes32);
            function newestAccountRoot(uint96 payer) external view returns (bytes32);

            function authorityAccepted(address authority) external view returns (bool);
            function setAuthority(address authority, bool accepted) external;
            function publishConsentRoot(bytes32 consentRoot, uint64 notAfter) external;
            function newestConsentRoot(address authority) external view returns (bytes32);
            function consentStamp(address authority, bytes32 consentRoot)
                external view returns (uint64 publishedAt, uint64 supersededAt);

            function settlement() external view returns (address);
            function bindSettlement(address settlement_) external;

            function registerDataset(DatasetRegistration calldata given) external returns (bytes32 table);
            function publishDatasetConsents(bytes32 table, uint256 version, uint256[2] calldata consent) external;
            function confirmDatasetConsents(bytes32 table, uint256 version, uint256[2] calldata consent) external;
            function dataset(bytes32 table) external view returns (Dataset memory);
            function plannedColumns(bytes32 query) external view returns (bytes32 columns);
            function registerCohortKey(bytes32 digest, uint8 kind, address verifier, bytes32 codeHash) external;
            function disableCohortKey(bytes32 digest) external;
            function cohortKey(bytes32 digest) external view returns (CohortKey memory found);
            function cohortTerms(bytes32 table, bytes32 query, bytes32 key)
                external view returns (CohortTerms memory terms);

            function epochGrace() external view returns (uint256);
            function accountGrace() external view returns (uint256);
            function consentGrace() external view returns (uint256);
            function consentAge() external view returns (uint256);
            function standing(
                uint96 payer, bytes32 epochRoot, bytes32 accountRoot, address authority, bytes32 consentRoot
            ) external view returns (uint8);
        }
    }
}

/// Settlement, escrow and receipts; documented in `ClaimSettlement.sol` and its parents.
pub mod settlement {
    #![expect(
        clippy::too_many_arguments,
        reason = "the macro makes a function of an event with eight fields"
    )]
    alloy_sol_types::sol! {
        #[derive(Debug, PartialEq, Eq)]
        struct Group { bytes32 key; bytes entries; bytes endorsements; }

        #[derive(Debug, PartialEq, Eq)]
        interface ClaimSettlement {
            event ClaimSettled(
                uint96 indexed payer, bytes32 indexed claimCommitment, address indexed payee, uint256 cents,
                uint256 receivedDay, bytes32 outcomeCommitment, bytes32 spendTag, bytes32 nextNote
            );
            event ClaimSkipped(uint96 indexed payer, bytes32 indexed claimCommitment, uint8 reason);
            event ClaimReceived(uint96 indexed payer, bytes32 indexed claimCommitment, uint256 day, bool byPayer);
            event Deposited(uint96 indexed payer, address indexed from, uint256 amount);
            event Withdrawn(address indexed payee, address indexed to, uint256 amount);
            event ReleaseAnnounced(
                uint96 indexed payer, uint256 amount, uint256 from, uint256 until, bool firm
            );
            event Released(uint96 indexed payer, address indexed to, uint256 amount);

            error KeyUnknown(bytes32 key);
            error GroupMalformed(uint256 group);
            error GroupRejected(uint256 group, bytes reason);
            error SettlementPaused();
            error RegistryMissing(address registry);
            error PayerUnknown(uint96 payer);
            error NotPayerOwner(uint96 payer, address caller);
            error SettlementNotBound(address settlement);
            error Reentered();
            error TransferFailed(address token);
            error TokenMissing(address token);
            error UnitsPerCentUnsupported(uint256 unitsPerCent);
            error NothingToMove();
            error CreditTooSmall(uint256 credit, uint256 amount);
            error NoReleaseDue(uint96 payer);
            error ReleaseWhilePaused(uint96 payer);
            error SentToSelf();
            error TokenTookMore(address token, uint256 taken, uint256 amount);
            error GasTooSmall(uint256 share, uint256 needed);
            error ReceiptExists(uint256 day);
            error ReceiptInFuture(uint256 day, uint256 today);
            error ReceiptDayZero();

            constructor(address registry, address token, uint256 unitsPerCent);

            function settle(Group[] calldata groups) external returns (uint256 settled);
            function preview(Group calldata group) external view returns (uint8[] memory verdicts);
            function findInvalid(Group calldata group) external view returns (uint256[] memory culprits);
            function isSpent(uint96 payer, bytes32 tag) external view returns (bool);
            function claimDigest(uint96 payer, bytes32 claimCommitment, uint64 cents)
                external view returns (bytes32 digest);

            function receiveClaim(uint96 payer, bytes32 claimCommitment) external returns (uint32 day);
            function recordReceipt(uint96 payer, bytes32 claimCommitment, uint32 day) external;
            function receiptOf(uint96 payer, bytes32 claimCommitment)
                external view returns (uint32 chainDay, uint32 payerDay);

            function RELEASE_NOTICE() external view returns (uint256);
            function RELEASE_WINDOW() external view returns (uint256);
            function registry() external view returns (address);
            function token() external view returns (address);
            function unitsPerCent() external view returns (uint256);
            function escrowOf(uint96 payer) external view returns (uint256);
            function creditOf(address payee) external view returns (uint256);
            function noticeOf(uint96 payer)
                external view returns (uint128 amount, uint48 from, uint48 until, bool firm);
            function deposit(uint96 payer, uint256 amount) external returns (uint256 arrived);
            function withdraw(address to, uint256 amount) external;
            function announceRelease(uint96 payer, uint128 amount) external;
            function release(uint96 payer, address to) external;
        }
    }
}

/// The ERC-20 part that is used here, and the test token's `mint`.
pub mod token {
    alloy_sol_types::sol! {
        #[derive(Debug, PartialEq, Eq)]
        interface Token {
            function balanceOf(address account) external view returns (uint256);
            function approve(address spender, uint256 amount) external returns (bool);
            function transfer(address to, uint256 amount) external returns (bool);
            function mint(address to, uint256 amount) external;
        }
    }
}

/// What became of one entry of a settlement, as the contract numbers it (`interfaces/Verdict.sol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// Settled, or would be.
    Payable,
    /// A denial pays nothing and spends nothing.
    NothingToSettle,
    /// A nullifier, the spend tag or the authorisation tag is used.
    AlreadySettled,
    /// The statement's version is not the one that is settled.
    VersionUnknown,
    /// The payee is not an address.
    PayeeMalformed,
    /// The key was disabled, or is a development key on a public chain.
    KeyDisabled,
    /// No such payer.
    PayerUnknown,
    /// The guardian paused this payer.
    PayerPaused,
    /// The payer never published this epoch.
    EpochUnknown,
    /// A newer epoch was published and the grace is over.
    EpochStale,
    /// The payer never published this account root.
    AccountRootUnknown,
    /// A newer account root was published and the grace is over.
    AccountRootStale,
    /// The consent authority is not accepted.
    AuthorityNotAccepted,
    /// The authority never published this consent root.
    ConsentRootUnknown,
    /// A newer consent root was published and the grace is over.
    ConsentRootStale,
    /// Nobody recorded a receipt of this claim.
    ReceiptMissing,
    /// The proof's received day is neither the chain's nor the payer's.
    ReceiptDiffers,
    /// The payee did not sign this claim for this payer.
    PayeeSignatureInvalid,
    /// The payer's escrow holds less than the claim pays.
    EscrowTooSmall,
    /// The registry serves another settlement contract, or was deployed on another chain.
    SettlementUnknown,
    /// The authority has not published this consent root for longer than the registry allows.
    ConsentRootOld,
    /// The key was registered so lately that payers may still leave before it settles anything.
    KeyPending,
}

impl Verdict {
    /// Every verdict, by number.
    pub const ALL: [Self; 22] = [
        Self::Payable,
        Self::NothingToSettle,
        Self::AlreadySettled,
        Self::VersionUnknown,
        Self::PayeeMalformed,
        Self::KeyDisabled,
        Self::PayerUnknown,
        Self::PayerPaused,
        Self::EpochUnknown,
        Self::EpochStale,
        Self::AccountRootUnknown,
        Self::AccountRootStale,
        Self::AuthorityNotAccepted,
        Self::ConsentRootUnknown,
        Self::ConsentRootStale,
        Self::ReceiptMissing,
        Self::ReceiptDiffers,
        Self::PayeeSignatureInvalid,
        Self::EscrowTooSmall,
        Self::SettlementUnknown,
        Self::ConsentRootOld,
        Self::KeyPending,
    ];

    /// From its number; none for a number that this version of the contracts does not use.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether sending the same entry again later may settle it, once somebody has put right what was missing.
    #[must_use]
    pub const fn may_pass_later(self) -> bool {
        matches!(
            self,
            Self::PayerUnknown
                | Self::PayerPaused
                | Self::EpochUnknown
                | Self::AccountRootUnknown
                | Self::AuthorityNotAccepted
                | Self::ConsentRootUnknown
                | Self::ConsentRootOld
                | Self::ReceiptMissing
                | Self::EscrowTooSmall
                | Self::KeyPending
        )
    }
}

/// A revert's reason in words: the typed error with its values, and the verifier's inside a group's.
///
/// A verifier that gets too little gas says that it rejects, or nothing: `findInvalid` knows which it was.
#[must_use]
pub fn explain(output: &[u8]) -> String {
    use settlement::ClaimSettlement::ClaimSettlementErrors as Settlement;
    match Settlement::abi_decode(output) {
        Ok(Settlement::GroupRejected(rejected)) => {
            let inside = if rejected.reason.is_empty() {
                "none given, as where gas is too little".to_owned()
            } else {
                // A verifier's. That a group is inside a group no contract says, and whoever makes it up nests them as deep as it likes.
                explain_other(&rejected.reason)
            };
            format!("GroupRejected {{ group: {}, reason: {inside} }}", rejected.group)
        }
        Ok(error) => named(&error),
        Err(_) => explain_other(output),
    }
}

/// The same of whatever is not the settlement's.
fn explain_other(output: &[u8]) -> String {
    if let Ok(error) = registry::Registry::RegistryErrors::abi_decode(output) {
        return named(&error);
    }
    if let Ok(error) = cohort::CohortLog::CohortLogErrors::abi_decode(output) {
        return named(&error);
    }
    if let Ok(error) = cohort::CohortVerifier::CohortVerifierErrors::abi_decode(output) {
        return named(&error);
    }
    if let Ok(error) = audit::AuditAnchors::AuditAnchorsErrors::abi_decode(output) {
        return named(&error);
    }
    if let Ok(error) = verifier::ClaimVerifier::ClaimVerifierErrors::abi_decode(output) {
        return named(&error);
    }
    if output.is_empty() { "no reason given".to_owned() } else { format!("0x{}", hex::encode(output)) }
}

/// `Outer(Inner { .. })` without its outer name, which only repeats.
fn named(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    match (text.find('('), text.strip_suffix(')')) {
        (Some(open), Some(body)) => body.get(open + 1..).unwrap_or(body).to_owned(),
        _ => text,
    }
}
