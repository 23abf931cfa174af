pub const VARIABLE: &str = "OVERSTATE_JOB";
