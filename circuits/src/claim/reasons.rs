//! Why a line is not paid in full: X12 claim adjustment reason codes (CARC), one bit each.

/// A rule's failure, by the CARC that reports it. The discriminant is its bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// 26: the service is before the coverage starts.
    BeforeCoverage = 0,
    /// 27: the service is after the coverage ends.
    AfterCoverage = 1,
    /// 31: the patient is not the insured of this coverage.
    NotInsured = 2,
    /// 109: another payer or plan is responsible.
    WrongPayer = 3,
    /// 96: the plan does not cover the procedure.
    NotCovered = 4,
    /// 11: no diagnosis supports the procedure.
    Diagnosis = 5,
    /// 6: the procedure does not fit the patient's age.
    Age = 6,
    /// 7: the procedure does not fit the patient's sex.
    Sex = 7,
    /// 151: too many or too frequent.
    Frequency = 8,
    /// 119: the benefit maximum is reached.
    Maximum = 9,
    /// 197: prior authorisation is absent.
    AuthorisationAbsent = 10,
    /// 15: the authorisation is for something else.
    AuthorisationMismatch = 11,
    /// 198: the authorisation is exhausted.
    AuthorisationExceeded = 12,
    /// 29: filed too late.
    Late = 13,
    /// B7: the provider was not certified for this service on this date.
    Provider = 14,
}

/// How many reasons there are.
pub const REASONS: usize = 15;

impl Reason {
    /// All of them, by bit.
    pub const ALL: [Self; REASONS] = [
        Self::BeforeCoverage,
        Self::AfterCoverage,
        Self::NotInsured,
        Self::WrongPayer,
        Self::NotCovered,
        Self::Diagnosis,
        Self::Age,
        Self::Sex,
        Self::Frequency,
        Self::Maximum,
        Self::AuthorisationAbsent,
        Self::AuthorisationMismatch,
        Self::AuthorisationExceeded,
        Self::Late,
        Self::Provider,
    ];

    /// The CARC.
    #[must_use]
    pub const fn carc(self) -> &'static str {
        match self {
            Self::BeforeCoverage => "26",
            Self::AfterCoverage => "27",
            Self::NotInsured => "31",
            Self::WrongPayer => "109",
            Self::NotCovered => "96",
            Self::Diagnosis => "11",
            Self::Age => "6",
            Self::Sex => "7",
            Self::Frequency => "151",
            Self::Maximum => "119",
            Self::AuthorisationAbsent => "197",
            Self::AuthorisationMismatch => "15",
            Self::AuthorisationExceeded => "198",
            Self::Late => "29",
            Self::Provider => "B7",
        }
    }

    /// What it means, in our own words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::BeforeCoverage => "the service was given before the coverage started",
            Self::AfterCoverage => "the service was given after the coverage ended",
            Self::NotInsured => "the patient is not the insured person of this coverage",
            Self::WrongPayer => "another payer or plan is responsible for this claim",
            Self::NotCovered => "the plan does not cover this service",
            Self::Diagnosis => "no stated diagnosis supports this procedure",
            Self::Age => "the procedure does not fit the patient's age",
            Self::Sex => "the procedure does not fit the patient's sex",
            Self::Frequency => "more units or repetitions than the plan allows",
            Self::Maximum => "the benefit maximum for the period is reached",
            Self::AuthorisationAbsent => "prior authorisation is required and absent",
            Self::AuthorisationMismatch => "the authorisation does not apply to this service or date",
            Self::AuthorisationExceeded => "the authorised units are used up",
            Self::Late => "the claim was filed after the time limit",
            Self::Provider => "the provider was not enrolled for this service on this date",
        }
    }
}

/// A set of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Reasons(u16);

impl Reasons {
    /// From its bitmap; `None` when a bit has no reason.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits >> REASONS == 0 { Some(Self(bits)) } else { None }
    }

    /// Its bitmap.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Adds `reason` when `fails`.
    pub const fn set(&mut self, reason: Reason, fails: bool) {
        self.0 |= (fails as u16) << reason as u8;
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `reason` is among them.
    #[must_use]
    pub const fn contains(self, reason: Reason) -> bool {
        self.0 >> reason as u8 & 1 == 1
    }

    /// The reasons, by bit.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |r| self.contains(*r))
    }
}
