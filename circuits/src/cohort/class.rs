//! Circuit classes: which circuit proves a query, and where its rows are.
//!
//! All circuits of one [`Size`] share one row layout, so that a table committed once is asked by each of them.

/// How many rows a table may have: the domain has `2^k` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 2^14 rows: up to 14,319 records.
    Small,
    /// 2^17 rows: up to 129,007 records.
    Medium,
    /// 2^20 rows: up to 1,046,511 records.
    Large,
}

impl Size {
    /// All, the smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The smallest that holds `rows` records, one row being left: a dictionary has an entry for missing, too.
    #[must_use]
    pub fn holding(rows: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.layout().capacity() > rows)
    }

    /// The logarithm of the domain's size.
    #[must_use]
    pub const fn k(self) -> u32 {
        match self {
            Self::Small => 14,
            Self::Medium => 17,
            Self::Large => 20,
        }
    }

    /// Its rows.
    #[must_use]
    pub const fn layout(self) -> Layout {
        Layout { k: self.k(), head: 2048 }
    }

    /// The size of a domain of `2^k` rows.
    #[must_use]
    pub fn from_k(k: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.k() == k)
    }
}

/// The rows of a domain of `2^k`: `head` rows for the statement, then records, then [`Layout::SALT`] rows of salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The logarithm of the number of rows.
    pub k: u32,
    /// Rows before the first record; every committed column is zero there.
    pub head: usize,
}

impl Layout {
    /// Rows of salt at the end of every committed column: the span of the link. At least the unusable rows of every circuit.
    pub const SALT: usize = 8;
    /// Rows between the last record and the salt that no column uses.
    const GAP: usize = 8;

    /// All rows.
    #[must_use]
    pub const fn rows(self) -> usize {
        1 << self.k
    }

    /// The most records; also the number of codes (0 included) that one lookup can tell apart.
    #[must_use]
    pub const fn capacity(self) -> usize {
        self.rows() - self.head - Self::SALT - Self::GAP
    }

    /// The row of record `record`.
    #[must_use]
    pub const fn row(self, record: usize) -> usize {
        self.head + record
    }

    /// The first row of salt.
    #[must_use]
    pub const fn salt(self) -> usize {
        self.rows() - Self::SALT
    }
}

/// The two query circuits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// One term, one value, one group column of up to 16 codes: small enough to be verified on-chain.
    Narrow,
    /// Four terms, two values and their cross sum, three group columns, up to 512 cells.
    Wide,
}

impl Class {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Narrow, Self::Wide];

    /// Its name in file names and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
        }
    }

    /// Most terms of the filter.
    #[must_use]
    pub const fn terms(self) -> usize {
        match self {
            Self::Narrow => 1,
            Self::Wide => 4,
        }
    }

    /// Most value columns.
    #[must_use]
    pub const fn values(self) -> usize {
        match self {
            Self::Narrow => 1,
            Self::Wide => 2,
        }
    }

    /// Most group columns.
    #[must_use]
    pub const fn groups(self) -> usize {
        match self {
            Self::Narrow => 1,
            Self::Wide => 3,
        }
    }

    /// Most cells: the product of the group columns' numbers of codes, the code 0 (missing) included.
    #[must_use]
    pub const fn cells(self) -> usize {
        match self {
            Self::Narrow => 16,
            Self::Wide => 512,
        }
    }
}
