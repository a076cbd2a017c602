//! The fixed columns: which row is what. They stand where halo2 would have selectors, so that their degree is counted in each gate.
//!
//! Gates apply in the rows from 0 to the last record; nothing applies in the gap or in the salt.

use super::super::Layout;
use halo2_proofs::{
    circuit::Region,
    halo2curves::bn256::Fr,
    plonk::{Column, ConstraintSystem, Expression, Fixed, FixedQuery},
};

/// The fixed columns of every part.
#[derive(Clone)]
pub(super) struct Rows {
    layout: Layout,
    /// Rows of the instance column, from row 0 on.
    instances: usize,
    record: Column<Fixed>,
    later: Column<Fixed>,
    index: Column<Fixed>,
    start: Column<Fixed>,
    last: Column<Fixed>,
    top: Column<Fixed>,
    carry: Column<Fixed>,
    /// Only where there is more than one instance.
    chain: Option<Column<Fixed>>,
}

impl Rows {
    pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, layout: Layout, instances: usize) -> Self {
        Self {
            layout,
            instances,
            record: meta.fixed_column(),
            later: meta.fixed_column(),
            index: meta.fixed_column(),
            start: meta.fixed_column(),
            last: meta.fixed_column(),
            top: meta.fixed_column(),
            carry: meta.fixed_column(),
            chain: (instances > 1).then(|| meta.fixed_column()),
        }
    }

    /// The layout.
    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// 1 in the record rows.
    pub(super) fn record(&self) -> Expression<Fr> {
        self.record.cur()
    }

    /// 1 in the first record row.
    pub(super) fn first(&self) -> Expression<Fr> {
        self.record.cur() - self.later.cur()
    }

    /// 1 in the record rows but the first: those that have a row before them.
    pub(super) fn later(&self) -> Expression<Fr> {
        self.later.cur()
    }

    /// `j` in record row `j`.
    pub(super) fn index(&self) -> Expression<Fr> {
        self.index.cur()
    }

    /// 1 in the row before the first record, where running sums start.
    pub(super) fn start(&self) -> Expression<Fr> {
        self.start.cur()
    }

    /// 1 in the last record row, where running sums end.
    pub(super) fn last(&self) -> Expression<Fr> {
        self.last.cur()
    }

    /// 1 in row 0, the first of the instances.
    pub(super) fn top(&self) -> Expression<Fr> {
        self.top.cur()
    }

    /// 1 in the rows of the other instances; zero where there is one.
    pub(super) fn chain(&self) -> Expression<Fr> {
        self.chain.map_or(Expression::Constant(Fr::zero()), |column| column.cur())
    }

    /// 1 in the rows of the head after the instances.
    pub(super) fn carry(&self) -> Expression<Fr> {
        self.carry.cur()
    }

    /// What a fixed column holds in a record row.
    pub(super) fn value(&self, query: FixedQuery, record: usize) -> Fr {
        let is = |column: Column<Fixed>| query.column_index() == column.index();
        if is(self.index) {
            return Fr::from(record as u64);
        }
        let last = self.layout.capacity() - 1;
        Fr::from(is(self.record) || (is(self.later) && record > 0) || (is(self.last) && record == last))
    }

    /// Writes all fixed columns.
    pub(super) fn assign(&self, region: &mut Region<'_, Fr>) {
        let (head, capacity) = (self.layout.head, self.layout.capacity());
        for record in 0..capacity {
            let row = self.layout.row(record);
            region.assign_fixed(self.record, row, Fr::one());
            region.assign_fixed(self.index, row, Fr::from(record as u64));
            if record > 0 {
                region.assign_fixed(self.later, row, Fr::one());
            }
        }
        region.assign_fixed(self.start, head - 1, Fr::one());
        region.assign_fixed(self.last, self.layout.row(capacity - 1), Fr::one());
        region.assign_fixed(self.top, 0, Fr::one());
        for row in 1..head {
            match self.chain {
                Some(chain) if row < self.instances => region.assign_fixed(chain, row, Fr::one()),
                _ => region.assign_fixed(self.carry, row, Fr::one()),
            };
        }
    }
}
