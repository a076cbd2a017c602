//! The generated code and descriptors are those of the `.proto` files.

use prost::Message;
use std::path::{Path, PathBuf};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const FILES: [&str; 9] = ["audit", "claim", "cohort", "consent", "dataset", "epoch", "job", "key", "types"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles the `.proto` files into `folder` as `nightingale.v1.rs` and `nightingale.v1.bin`.
fn generate(folder: &Path) -> Outcome {
    let files = FILES.map(|name| format!("nightingale/v1/{name}.proto"));
    let mut compiler = protox::Compiler::new([root()])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    let described = compiler.file_descriptor_set();
    tonic_prost_build::configure()
        .build_transport(false)
        .skip_debug([
            ".nightingale.v1.AdjudicateRequest",
            ".nightingale.v1.ClaimResult",
            ".nightingale.v1.Consent",
            ".nightingale.v1.ConsentStatement",
            ".nightingale.v1.RevokeConsentRequest",
            ".nightingale.v1.ImportConsentsRequest",
            ".nightingale.v1.QueryResult",
            ".nightingale.v1.RevokeSubjectsRequest",
        ])
        .out_dir(folder)
        .compile_fds(described.clone())?;
    let mut bare = described;
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    std::fs::write(folder.join("nightingale.v1.bin"), bare.encode_to_vec())?;
    Ok(())
}

#[test]
fn regenerating_changes_nothing() -> Outcome {
    let checked_in = root().join("src/generated");
    if std::env::var_os("NIGHTINGALE_REGENERATE").is_some() {
        std::fs::create_dir_all(&checked_in)?;
        return generate(&checked_in);
    }
    let fresh = tempfile::tempdir()?;
    generate(fresh.path())?;
    for name in ["nightingale.v1.rs", "nightingale.v1.bin"] {
        let (old, new) = (std::fs::read(checked_in.join(name))?, std::fs::read(fresh.path().join(name))?);
        assert!(
            old == new,
            "{name} is stale; run NIGHTINGALE_REGENERATE=1 cargo test --release -p nightingale-proto"
        );
    }
    Ok(())
}

#[test]
fn every_request_names_its_tenant() -> Outcome {
    let set = prost_types::FileDescriptorSet::decode(nightingale_proto::DESCRIPTORS)?;
    let ours: Vec<_> = set.file.iter().filter(|f| f.package() == "nightingale.v1").collect();
    let mut methods = 0;
    for method in ours.iter().flat_map(|f| &f.service).flat_map(|s| &s.method) {
        let input = method.input_type().trim_start_matches(".nightingale.v1.");
        let message =
            ours.iter().flat_map(|f| &f.message_type).find(|m| m.name() == input).ok_or("no such message")?;
        assert!(
            message.field.iter().any(|f| f.name() == "tenant" && f.number() == 1),
            "{input} lacks its tenant"
        );
        methods += 1;
    }
    assert_eq!(methods, 25, "a service method was added or lost");
    Ok(())
}

#[test]
fn everything_in_the_proto_files_has_a_comment() -> Outcome {
    for name in FILES {
        let text = std::fs::read_to_string(root().join(format!("nightingale/v1/{name}.proto")))?;
        let mut commented = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let header = ["syntax", "package", "import"].iter().any(|word| line.starts_with(word));
            if !(line.is_empty() || header || line == "}" || line.starts_with("//")) {
                assert!(commented, "{name}.proto:{}: `{line}` has no comment", number + 1);
            }
            commented = line.starts_with("//");
        }
    }
    Ok(())
}
