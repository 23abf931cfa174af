//! Users on a host in memory.

use serde_json::json;

use crate::testing::{Memory, apply, refused, said, thrice};

fn host() -> Memory {
    let files = [
        ("/etc/passwd", "root:x:0:0::/root:/bin/sh\nold:x:7:7:Old,1:/home/old:/bin/sh\n"),
        ("/etc/group", "root:x:0:\nold:x:7:\nsudo:x:27:\n"),
        ("/etc/shadow", "old:!:19000:0:99999:7:::\n"),
        ("/home/old/.profile", ""),
    ];
    Memory::new(json!({})).with(&files).answer(|host, line| {
        let table = host.text("/etc/passwd")?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["useradd", .., name] => {
                host.put("/etc/passwd", &format!("{table}{name}:x:1000:1000::/home/{name}:/bin/sh\n"));
                host.put("/etc/shadow", &format!("{}{name}:!:1:0:9:7:::\n", host.text("/etc/shadow")?));
                host.put(&format!("/home/{name}/.profile"), "");
            }
            ["usermod", "-s", shell, "old"] => {
                host.put("/etc/passwd", &table.replace("/home/old:/bin/sh", &format!("/home/old:{shell}")));
            }
            ["usermod", "-c", office, name] => {
                let old = if name == "old" { "Old,1" } else { "" };
                let row =
                    |office: &str| format!("{name}:x:{}:{office}:", if name == "old" { "7:7" } else { "1000:1000" });
                host.put("/etc/passwd", &table.replace(&row(old), &row(office)));
            }
            ["chpasswd", "-e"] => host.put("/etc/shadow", &host.text("/etc/shadow")?.replace(":!:", ":$6$a$b:")),
            ["userdel", "old"] => host.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
            _ => return refused(1, "no"),
        }
        said("")
    })
}

#[test]
fn a_user_is_made_with_a_hidden_password() {
    let host = host();
    let sls = "new:\n  user.present:\n    - fullname: New\n    - password: $6$a$b\n";
    let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
    assert_eq!(test.1, "User new set to be added");
    assert_eq!((&first.2["password"], &first.2["fullname"]), (&json!(super::HIDDEN), &json!("New")));
    assert_eq!(second.1, "User new is present and up to date");
    assert!(host.ran().iter().all(|line| !line.contains("$6$")), "a hash on a command line");
}

#[test]
fn a_user_that_is_there_is_changed_field_by_field() {
    let host = host();
    let sls = "old:\n  user.present:\n    - shell: /bin/bash\n    - fullname: Older\n";
    let [test, first, _] = thrice(&host, &[("t.sls", sls)]);
    assert_eq!(test.1, "The following user attributes are set to be changed:\nshell: /bin/bash\nfullname: Older\n");
    assert_eq!(first.2, json!({"shell": "/bin/bash", "fullname": "Older"}));
    let rows = apply(&host, "old:\n  user.present:\n    - uid: 9\n", false);
    assert!(rows[0].2.contains("Changing uid (7 -> 9) not permitted"), "{}", rows[0].2);
    let [_, first, _] = thrice(&host, &[("t.sls", "old:\n  user.absent: []\n")]);
    assert_eq!(first.2, json!({"old": "removed"}));
}

#[test]
fn a_dry_run_knows_the_users_and_groups_that_it_planned() {
    let sls = "web:\n  group.present: []\napp:\n  user.present:\n    - groups: [web]\n\
               /a:\n  file.managed:\n    - contents: x\n    - user: app\n    - group: web\n";
    let rows = apply(&host(), sls, true);
    assert!(rows.iter().all(|row| row.1 == json!(null)), "{rows:?}");
    assert_eq!(rows[1].2, "User app set to be added (pending groups: web)");
}
