//! Which instructions the field arithmetic uses: asked of the processor once, at run time.

/// A way to compute; every one gives the same elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Plain Rust, on any processor.
    Portable,
    /// Eight elements at a time with AVX-512's 52-bit multiply-add.
    #[cfg(target_arch = "x86_64")]
    Ifma,
}

impl Kernel {
    /// The fastest one that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if Self::Ifma.is_available() {
            return Self::Ifma;
        }
        Self::Portable
    }

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512ifma")
            }
        }
    }
}
