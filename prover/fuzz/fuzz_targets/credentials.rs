#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nightingale_prover_fuzz::service::credentials(data));
