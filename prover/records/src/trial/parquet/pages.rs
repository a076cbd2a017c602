//! The pages of one column chunk. A page's header says how many values it holds, and the `parquet` crate makes room for that many before
//! it reads the first: so what a header says is held here to what can be there.

use ::parquet::{
    basic::Type,
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    schema::types::ColumnDescriptor,
};

/// Pages that hold no more than they can.
pub(super) struct Pages {
    pages: Box<dyn PageReader>,
    /// The fewest bits that an entry of a dictionary takes.
    entry_bits: usize,
    /// Rows of the file that no page has given yet.
    rows: usize,
}

impl Pages {
    /// The pages of a flat column of which `rows` rows are still to come.
    pub(super) fn new(pages: Box<dyn PageReader>, descriptor: &ColumnDescriptor, rows: usize) -> Self {
        let entry_bits = match descriptor.physical_type() {
            Type::BOOLEAN => 1,
            // A length stands before each text.
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 32,
            Type::INT64 | Type::DOUBLE => 64,
            Type::INT96 => 96,
            Type::FIXED_LEN_BYTE_ARRAY => {
                8 * usize::try_from(descriptor.type_length()).unwrap_or_default().max(1)
            }
        };
        Self { pages, entry_bits, rows }
    }

    fn check(&mut self, page: &Page) -> Result<()> {
        let says = usize::try_from(page.num_values()).unwrap_or(usize::MAX);
        if let Page::DictionaryPage { buf, .. } = page {
            let most = buf.len() * 8 / self.entry_bits;
            return if says <= most { Ok(()) } else { Err(excess("dictionary", says, most)) };
        }
        self.rows = self.rows.checked_sub(says).ok_or_else(|| excess("page", says, self.rows))?;
        Ok(())
    }
}

fn excess(what: &str, says: usize, most: usize) -> ParquetError {
    ParquetError::General(format!(
        "a {what} says that it holds {says} values, and at most {most} can be there"
    ))
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.as_ref().map_or(Ok(()), |page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}
