use chrono::TimeDelta;
use domain_kernel::{JobId, OrgId};

use super::RosterService;
use crate::ports::RosterFolder;
use crate::{FileKey, MembershipError, RosterFile};

/// Organizations that are read together.
const FOLDERS_AT_ONCE: i64 = 200;

/// Files of a folder that are listed together.
const FILES_AT_ONCE: usize = 1000;

/// How long a file may take after the permission to put it has ended.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// How long a report is kept: 13 months.
const REPORT_LIFE: TimeDelta = TimeDelta::days(396);

/// Other files may lie beside rosters.
fn is_roster(key: &FileKey) -> bool {
    key.as_str().to_ascii_lowercase().ends_with(".csv")
}

impl RosterService {
    /// Looks into all folders, and queues an import of each CSV file that none is about yet. Ends what waits in vain. Gives the number
    /// of new imports.
    pub async fn notice_files(&self) -> Result<usize, MembershipError> {
        self.imports.expire(self.limits.upload_lifespan + PATIENCE, self.clock.now()).await?;
        let (mut after, mut noticed): (Option<OrgId>, usize) = (None, 0);
        loop {
            let folders = self.imports.list_folders(after, FOLDERS_AT_ONCE).await?;
            for folder in &folders {
                noticed += self.notice_folder(folder).await?;
            }
            match folders.last() {
                Some(last) => after = Some(last.organization),
                None => return Ok(noticed),
            }
        }
    }

    /// Deletes reports that nobody needs any more, some at a time. Gives how many.
    pub async fn forget_reports(&self) -> Result<u64, MembershipError> {
        self.imports.forget_reports(self.clock.now() - REPORT_LIFE).await
    }

    async fn notice_folder(&self, folder: &RosterFolder) -> Result<usize, MembershipError> {
        let (mut after, mut noticed) = (None, 0);
        loop {
            let files = self.files.list(&folder.folder, after, FILES_AT_ONCE).await?;
            let Some(last) = files.last().map(|file| file.key.clone()) else { return Ok(noticed) };
            let rosters: Vec<RosterFile> = files.into_iter().filter(|file| is_roster(&file.key)).collect();
            if !rosters.is_empty() {
                let keys = rosters.iter().map(|file| (file.key.clone(), file.etag.clone())).collect();
                for place in self.imports.find_unknown(folder.organization, keys).await? {
                    let Some(file) = rosters.get(place) else { continue };
                    noticed += usize::from(self.take(folder, file.clone()).await?);
                }
            }
            after = Some(last);
        }
    }

    /// Looks at one file that the storage told of, and queues an import of it if none is about it yet. Gives whether it did. What lies
    /// in no organization's folder, is not there, or is no CSV file is passed over.
    pub async fn notice_file(&self, key: &str) -> Result<bool, MembershipError> {
        let Some(folder) = self.imports.find_owner(key).await? else { return Ok(false) };
        let Some(key) = FileKey::parse(key, &folder.folder).ok().filter(is_roster) else { return Ok(false) };
        match self.files.find(&key).await? {
            Some(file) => self.take(&folder, file).await,
            None => Ok(false),
        }
    }

    async fn take(&self, folder: &RosterFolder, file: RosterFile) -> Result<bool, MembershipError> {
        let new = self.new_import(folder.organization, file, folder.mode, self.clock.now());
        let (_, is_new) = self.imports.add(new, JobId::new(self.ids.next()), None).await?;
        Ok(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::tests::{Fixture, a_file, an_import, folder, now};
    use crate::tests::ORG;

    #[tokio::test]
    async fn each_csv_file_that_nobody_knows_is_queued() {
        let mut fixture = Fixture::default();
        fixture.imports.expect_expire().times(1).returning(|patience, at| {
            assert_eq!((patience, at), (TimeDelta::minutes(75), now()));
            Ok(0)
        });
        fixture
            .imports
            .expect_list_folders()
            .returning(|after, _| Ok(if after.is_none() { vec![folder(ORG)] } else { vec![] }));
        fixture.files.expect_list().returning(|folder, after, _| {
            assert_eq!(folder, "harbor");
            let all = ["harbor/a.csv", "harbor/b.CSV", "harbor/notes.txt"].map(a_file);
            Ok(if after.is_none() { all.to_vec() } else { vec![] })
        });
        fixture.imports.expect_find_unknown().times(1).returning(|_, files| {
            assert_eq!(files.len(), 2);
            Ok(vec![1])
        });
        fixture.imports.expect_add().times(1).returning(|new, _, audit| {
            assert_eq!((new.key.as_str(), new.created_by, audit), ("harbor/b.CSV", None, None));
            Ok((an_import(), true))
        });
        assert_eq!(fixture.service().notice_files().await.expect("looks"), 1);
    }

    #[tokio::test]
    async fn reports_are_kept_for_thirteen_months() {
        let mut fixture = Fixture::default();
        fixture.imports.expect_forget_reports().return_once(|ended_before| {
            assert_eq!(ended_before, now() - TimeDelta::days(396));
            Ok(2)
        });
        assert_eq!(fixture.service().forget_reports().await.expect("forgets"), 2);
    }

    #[tokio::test]
    async fn one_that_was_told_of_is_looked_at_and_all_else_passed_over() {
        for (key, owner, there, noticed) in [
            ("harbor/a.csv", true, true, true),
            ("harbor/a.csv", true, false, false),
            ("harbor/notes.txt", true, true, false),
            ("harbor/../a.csv", true, true, false),
            ("elsewhere/a.csv", false, true, false),
        ] {
            let mut fixture = Fixture::default();
            fixture.imports.expect_find_owner().return_once(move |_| Ok(owner.then(|| folder(ORG))));
            fixture.files.expect_find().returning(move |key| Ok(there.then(|| a_file(key.as_str()))));
            fixture.imports.expect_add().returning(|_, _, _| Ok((an_import(), true)));
            assert_eq!(fixture.service().notice_file(key).await.expect("looks"), noticed, "{key}");
        }
    }
}
