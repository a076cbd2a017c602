//! Points and vectors with a fallback. Points are kept on whichever device works; a vector lies on one, and when that is lost
//! it is lost too: whoever made it makes it again.

use super::Shared;
use crate::device::{Bases, Device, DeviceError, Pointwise, Scalars, Transform, Vector};
use nightingale_circuits::Fr;
use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// On which device something lies: an opening of the primary, or the fallback.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Primary(u64),
    Fallback,
}

impl Shared {
    /// Where work goes now.
    fn place(&self) -> Result<(Place, Arc<dyn Device>), DeviceError> {
        match self.primary.device(&*self.listener) {
            Some((generation, device)) => Ok((Place::Primary(generation), device)),
            None => Ok((Place::Fallback, Arc::clone(self.fallback()?))),
        }
    }

    /// The device of a place, if it is still that.
    fn device_at(&self, place: Place) -> Result<Arc<dyn Device>, DeviceError> {
        match (place, self.primary.device(&*self.listener)) {
            (Place::Fallback, _) => self.fallback().cloned(),
            (Place::Primary(own), Some((generation, device))) if own == generation => Ok(device),
            (Place::Primary(_), _) => Err(self.primary.out_of_use()),
        }
    }

    /// What is to become of an error at a place: `Ok` when the fallback is to be asked.
    fn note(&self, place: Place, error: DeviceError) -> Result<(), DeviceError> {
        match place {
            Place::Primary(generation) => self.failed(generation, error),
            Place::Fallback => Err(error),
        }
    }
}

type Load<S> = dyn Fn(&dyn Device) -> Result<Box<dyn Bases<S>>, DeviceError> + Send + Sync;

/// Points on one device.
type Placed<S> = (Place, Arc<dyn Bases<S>>);

/// Points of either group.
pub(super) struct Points<S> {
    shared: Arc<Shared>,
    len: usize,
    load: Box<Load<S>>,
    loaded: Mutex<Vec<Placed<S>>>,
}

impl<S> Points<S> {
    pub(super) fn new(
        shared: &Arc<Shared>,
        len: usize,
        load: impl Fn(&dyn Device) -> Result<Box<dyn Bases<S>>, DeviceError> + Send + Sync + 'static,
    ) -> Result<Self, DeviceError> {
        let shared = Arc::clone(shared);
        let points = Self { shared, len, load: Box::new(load), loaded: Mutex::default() };
        let (place, device) = points.shared.place()?;
        if let Err(error) = points.at(place, &*device) {
            points.shared.note(place, error)?;
            points.at(Place::Fallback, &**points.shared.fallback()?)?;
        }
        Ok(points)
    }

    fn at(&self, place: Place, device: &dyn Device) -> Result<Arc<dyn Bases<S>>, DeviceError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bases)) = loaded.iter().find(|(own, _)| *own == place) {
            return Ok(Arc::clone(bases));
        }
        let bases: Arc<dyn Bases<S>> = Arc::from((self.load)(device)?);
        // An earlier opening of the primary is of no use any more.
        loaded.retain(|(own, _)| *own == Place::Fallback);
        loaded.push((place, Arc::clone(&bases)));
        Ok(bases)
    }

    fn multiply_at(
        &self,
        place: Place,
        device: &dyn Device,
        batch: &[Scalars<'_>],
    ) -> Result<Vec<S>, DeviceError> {
        let bases = self.at(place, device)?;
        // Vectors of another device are copied through this process's memory.
        let copies: Vec<Option<Zeroizing<Vec<Fr>>>> =
            batch.iter().map(|scalars| foreign(*scalars, place)).collect::<Result<_, _>>()?;
        let scalars = batch.iter().zip(&copies).map(|(scalars, copy)| match (scalars, copy) {
            (_, Some(copy)) => Ok(Scalars::Host(copy)),
            (Scalars::Resident(vector), None) => Ok(Scalars::Resident(&*own(*vector)?.vector)),
            (host, None) => Ok(*host),
        });
        bases.multiply(&scalars.collect::<Result<Vec<_>, DeviceError>>()?)
    }
}

fn own(vector: &dyn Vector) -> Result<&Elements, DeviceError> {
    let own = vector.as_any().downcast_ref::<Elements>();
    own.ok_or_else(|| DeviceError::Input("a vector of another device".to_owned()))
}

fn foreign(scalars: Scalars<'_>, place: Place) -> Result<Option<Zeroizing<Vec<Fr>>>, DeviceError> {
    let Scalars::Resident(vector) = scalars else { return Ok(None) };
    let own = own(vector)?;
    if own.place == place { Ok(None) } else { copy(own).map(Some) }
}

fn copy(vector: &Elements) -> Result<Zeroizing<Vec<Fr>>, DeviceError> {
    let mut elements = Zeroizing::new(vec![Fr::default(); vector.len()]);
    vector.read(&mut elements)?;
    Ok(elements)
}

impl<S> Bases<S> for Points<S> {
    fn len(&self) -> usize {
        self.len
    }

    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<S>, DeviceError> {
        let (place, device) = self.shared.place()?;
        match self.multiply_at(place, &*device, batch) {
            Err(error) => {
                self.shared.note(place, error)?;
                self.multiply_at(Place::Fallback, &**self.shared.fallback()?, batch)
            }
            done => done,
        }
    }
}

/// A vector on one of the two.
pub(super) struct Elements {
    shared: Arc<Shared>,
    place: Place,
    vector: Box<dyn Vector>,
}

impl Elements {
    pub(super) fn new(shared: &Arc<Shared>, elements: &[Fr]) -> Result<Self, DeviceError> {
        let (mut place, device) = shared.place()?;
        let vector = match device.vector(elements) {
            Err(error) => {
                shared.note(place, error)?;
                place = Place::Fallback;
                shared.fallback()?.vector(elements)
            }
            done => done,
        };
        Ok(Self { shared: Arc::clone(shared), place, vector: vector? })
    }

    /// Retires a device that an operation found lost.
    fn noted<T>(&self, result: Result<T, DeviceError>) -> Result<T, DeviceError> {
        if let (Err(error), Place::Primary(generation)) = (&result, self.place)
            && error.ends_device()
        {
            self.shared.primary.retire(generation, error, &*self.shared.listener);
        }
        result
    }
}

impl Vector for Elements {
    fn len(&self) -> usize {
        self.vector.len()
    }

    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError> {
        self.noted(self.vector.read(out))
    }

    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError> {
        let result = self.vector.transform(transform);
        self.noted(result)
    }

    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError> {
        let other = own(other)?;
        let result = if other.place == self.place {
            self.vector.combine(operation, &*other.vector)
        } else {
            let copied = self.shared.device_at(self.place)?.vector(&copy(other)?)?;
            self.vector.combine(operation, &*copied)
        };
        self.noted(result)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
