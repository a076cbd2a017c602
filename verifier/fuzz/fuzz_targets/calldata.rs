#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| nightingale_verifier_fuzz::chain::calldata(data));
