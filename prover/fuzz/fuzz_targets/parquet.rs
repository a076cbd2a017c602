#![no_main]
// The `parquet` crate panics on damaged files and the reader answers for it: only what escapes the reader is a crash.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |data: &[u8]| nightingale_prover_fuzz::trial::parquet(data));
