//! The tables of the sections whose structures stand in `config.rs`.

use super::{FLAG, Key, Range, Section, Usual};

pub(super) static TOP: Section = Section {
    name: "",
    meaning: "Where everything lies.",
    optional: false,
    keys: &[
        Key {
            name: "production",
            usual: Usual::Value("false"),
            unit: "",
            range: FLAG,
            meaning: "Whether real records and payments depend on it: keys under which anybody can forge are refused, and a remote address without identity.",
        },
        Key {
            name: "data_dir",
            usual: Usual::Required("\"data\""),
            unit: "",
            range: Range::Text("a folder"),
            meaning: "Database and master key: a local disk, never a network share. It is made where it is missing.",
        },
        Key {
            name: "keys_dir",
            usual: Usual::Required("\"keys\""),
            unit: "",
            range: Range::Text("a folder"),
            meaning: "Proving and verifying keys. Nobody but the operator should be able to write in it.",
        },
    ],
};

pub(super) static LISTEN: Section = Section {
    name: "listen",
    meaning: "Who may call: see [operations.md](operations.md#who-may-call).",
    optional: false,
    keys: &[
        Key {
            name: "address",
            usual: Usual::Value("\"127.0.0.1:50051\""),
            unit: "",
            range: Range::Text("an IP address and a port"),
            meaning: "The gRPC address. Port 0 takes a free one; `listening ADDR` on standard output says which.",
        },
        Key {
            name: "allow_remote",
            usual: Usual::Value("false"),
            unit: "",
            range: FLAG,
            meaning: "Whether the address may be another than a loopback address.",
        },
        Key {
            name: "reflection",
            usual: Usual::Unset("on, and off in production", "true"),
            unit: "",
            range: FLAG,
            meaning: "Whether the server tells callers which methods there are.",
        },
    ],
};

pub(super) static WORK: Section = Section {
    name: "work",
    meaning: "What proves, and how jobs are handed to it: see [operations.md](operations.md#devices).",
    optional: false,
    keys: &[
        Key {
            name: "workers",
            usual: Usual::Value("1"),
            unit: "threads",
            range: Range::Whole(1, 256),
            meaning: "Prover threads; one proof already uses all cores. 2 keep a GPU busy.",
        },
        Key {
            name: "claims",
            usual: Usual::Value("true"),
            unit: "",
            range: FLAG,
            meaning: "Whether claims are proven here; `false` leaves them to workers.",
        },
        Key {
            name: "cohorts",
            usual: Usual::Value("true"),
            unit: "",
            range: FLAG,
            meaning: "Whether questions are proven here; `false` leaves them to workers.",
        },
        Key {
            name: "device",
            usual: Usual::Value("\"auto\""),
            unit: "",
            range: Range::Text("a device, or `\"auto\"`"),
            meaning: "What proves.",
        },
        Key {
            name: "fallback",
            usual: Usual::Value("\"cpu\""),
            unit: "",
            range: Range::Text("one device, or `\"none\"`"),
            meaning: "What proves when the device cannot; `\"none\"` has jobs wait instead.",
        },
        Key {
            name: "table_mebibytes",
            usual: Usual::Value("256"),
            unit: "MiB",
            range: Range::Whole(0, 1 << 20),
            meaning: "Memory for multiples of the keys' points: faster proofs, slower start.",
        },
        Key {
            name: "batch_claims",
            usual: Usual::Value("16"),
            unit: "claims",
            range: Range::Whole(1, 256),
            meaning: "At most so many claims in one call of a device.",
        },
        Key {
            name: "batch_delay_milliseconds",
            usual: Usual::Value("10"),
            unit: "ms",
            range: Range::Whole(0, 1000),
            meaning: "How long a ready claim waits for others, where the device profits.",
        },
        Key {
            name: "device_seconds",
            usual: Usual::Value("120"),
            unit: "s",
            range: Range::Whole(1, 86_400),
            meaning: "An accelerator that says nothing for so long counts as lost.",
        },
        Key {
            name: "cuda_library",
            usual: Usual::Unset("it is looked for", "\"lib/libnightingale_gpu.so\""),
            unit: "",
            range: Range::Text("a file"),
            meaning: "Where the CUDA device's library is.",
        },
        Key {
            name: "icicle_library",
            usual: Usual::Unset("it is looked for", "\"/opt/icicle/lib\""),
            unit: "",
            range: Range::Text("a folder"),
            meaning: "Where ICICLE's libraries are.",
        },
        Key {
            name: "lease_seconds",
            usual: Usual::Value("30"),
            unit: "s",
            range: Range::Whole(1, 3600),
            meaning: "A job goes to another worker when its own is not heard of for so long.",
        },
        Key {
            name: "drain_seconds",
            usual: Usual::Value("60"),
            unit: "s",
            range: Range::Whole(0, 3600),
            meaning: "How long a stop waits for running proofs.",
        },
        Key {
            name: "max_losses",
            usual: Usual::Value("5"),
            unit: "losses",
            range: Range::Whole(1, 1000),
            meaning: "A job that was lost with its worker so often fails.",
        },
    ],
};

pub(super) static LIMITS: Section = Section {
    name: "limits",
    meaning: "What one caller can ask of the server.",
    optional: false,
    keys: &[
        Key {
            name: "queued_jobs",
            usual: Usual::Value("10000"),
            unit: "jobs",
            range: Range::Whole(1, 10_000_000),
            meaning: "Jobs of one tenant that have not ended.",
        },
        Key {
            name: "request_bytes",
            usual: Usual::Value("1048576"),
            unit: "bytes",
            range: Range::Whole(1024, 64 << 20),
            meaning: "One request.",
        },
        Key {
            name: "publish_bytes",
            usual: Usual::Value("67108864"),
            unit: "bytes",
            range: Range::Whole(1024, 1 << 30),
            meaning: "One publication. A million account notes take 34 MB.",
        },
        Key {
            name: "stream_in_flight",
            usual: Usual::Value("64"),
            unit: "requests",
            range: Range::Whole(1, 10_000),
            meaning: "Unanswered requests of one stream.",
        },
        Key {
            name: "database_mebibytes",
            usual: Usual::Unset("the disk is the bound", "4096"),
            unit: "MiB",
            range: Range::Whole(1, 1 << 24),
            meaning: "A bound of the SQLite database below the disk's.",
        },
    ],
};

pub(super) static RETENTION: Section = Section {
    name: "retention",
    meaning: "How long what is over is kept.",
    optional: false,
    keys: &[
        Key {
            name: "epoch_grace_seconds",
            usual: Usual::Value("86400"),
            unit: "s",
            range: Range::Whole(0, 366 * 86_400),
            meaning: "How long the epoch before the newest is accepted.",
        },
        Key {
            name: "ended_jobs_days",
            usual: Usual::Value("30"),
            unit: "days",
            range: Range::Whole(1, 36_600),
            meaning: "Then jobs and their proofs are deleted; what approvals used up is kept.",
        },
        Key {
            name: "results_days",
            usual: Usual::Unset("as long as the job", "30"),
            unit: "days",
            range: Range::Text("1 to `ended_jobs_days`"),
            meaning: "Then results alone are deleted.",
        },
        Key {
            name: "datasets_days",
            usual: Usual::Unset("until they are removed", "3650"),
            unit: "days",
            range: Range::Whole(1, 36_600),
            meaning: "Files of datasets after their registration.",
        },
    ],
};
