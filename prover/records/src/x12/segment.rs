//! Segments, elements and components, cut by the delimiters that the interchange declares.

use crate::ingest::{Defect, Fault};

/// The characters that structure one interchange.
#[derive(Clone, Copy)]
pub(super) struct Delimiters {
    pub(super) element: char,
    pub(super) component: char,
    pub(super) terminator: char,
}

/// One segment.
#[derive(Clone)]
pub(super) struct Segment<'a> {
    elements: Vec<&'a str>,
    component: char,
}

impl<'a> Segment<'a> {
    /// Cuts the text before a terminator.
    pub(super) fn new(text: &'a str, delimiters: Delimiters) -> Self {
        Self { elements: text.split(delimiters.element).collect(), component: delimiters.component }
    }

    /// Its identifier, such as `NM1`.
    pub(super) fn id(&self) -> &'a str {
        self.elements.first().copied().unwrap_or_default()
    }

    /// Element `n`, counted from 1 as the standard does; empty where there is none.
    pub(super) fn element(&self, n: usize) -> &'a str {
        self.elements.get(n).copied().unwrap_or_default()
    }

    /// How many elements follow the identifier.
    pub(super) fn len(&self) -> usize {
        self.elements.len().saturating_sub(1)
    }

    /// The components of element `n`; none where it is empty.
    pub(super) fn components(&self, n: usize) -> Vec<&'a str> {
        match self.element(n) {
            "" => Vec::new(),
            text => text.split(self.component).collect(),
        }
    }

    /// Element `n`, which must be there.
    pub(super) fn required(&self, n: usize, needed: &'static str) -> Result<&'a str, Fault> {
        match self.element(n) {
            "" => Err(Fault::new(self.at(n), Defect::Missing { needed })),
            text => Ok(text),
        }
    }

    /// How the standard calls element `n`: `SV1-02`.
    pub(super) fn at(&self, n: usize) -> String {
        format!("{}-{n:02}", self.id())
    }
}
