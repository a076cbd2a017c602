//! Field elements that stay on the device, in standard form.

use super::{
    super::{DeviceError, Pointwise, Transform, Vector},
    abi::Function,
    forms,
    memory::Buffer,
    same_length,
    session::Session,
};
use nightingale_circuits::Fr;
use std::{any::Any, sync::Arc};
use zeroize::Zeroizing;

/// Elements on the device; no memory for no elements.
pub(super) struct Elements {
    session: Arc<Session>,
    elements: Option<Buffer>,
    len: usize,
}

/// Copies elements onto the device; `None` for none.
pub(super) fn upload(session: &Arc<Session>, elements: &[Fr]) -> Result<Option<Buffer>, DeviceError> {
    if elements.is_empty() {
        return Ok(None);
    }
    Buffer::new(session, &forms::scalars(elements), true).map(Some)
}

/// The elements of a vector that is this device's own, and of this length.
pub(super) fn own<'a>(
    session: &Session,
    vector: &'a dyn Vector,
    len: usize,
) -> Result<Option<&'a Buffer>, DeviceError> {
    let own = vector.as_any().downcast_ref::<Elements>().filter(|own| own.session.same(session));
    let own = own.ok_or_else(|| DeviceError::Input("a vector of another device".to_owned()))?;
    same_length(len, own.len)?;
    Ok(own.elements.as_ref())
}

impl Elements {
    pub(super) fn new(session: &Arc<Session>, elements: &[Fr]) -> Result<Self, DeviceError> {
        Ok(Self { session: Arc::clone(session), elements: upload(session, elements)?, len: elements.len() })
    }
}

impl Vector for Elements {
    fn len(&self) -> usize {
        self.len
    }

    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError> {
        same_length(self.len, out.len())?;
        let Some(elements) = &self.elements else { return Ok(()) };
        let mut words = Zeroizing::new(vec![0; 4 * self.len]);
        self.session.copy_to_host(&mut words, elements)?;
        forms::elements(&words, out)
            .ok_or_else(|| self.session.broken("an element is not below the modulus".to_owned()))
    }

    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError> {
        same_length(transform.size(), self.len)?;
        // One element is its own transform, on every coset.
        let Some(elements) = self.elements.as_mut().filter(|_| transform.log_size() > 0) else {
            return Ok(());
        };
        let coset = forms::standard(transform.coset());
        let session = &self.session;
        session.domain.while_it_serves(session, transform, || {
            session.transform(elements, transform.log_size(), coset, transform.direction())
        })
    }

    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError> {
        let other = own(&self.session, other, self.len)?;
        let function = match operation {
            Pointwise::Add => Function::VectorAdd,
            Pointwise::Subtract => Function::VectorSub,
            Pointwise::Multiply => Function::VectorMul,
        };
        let (Some(elements), Some(other)) = (&mut self.elements, other) else { return Ok(()) };
        self.session.combine(function, elements, other, self.len)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
