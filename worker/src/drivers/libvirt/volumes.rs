//! Volumes of the storage pool, told apart by name:
//!
//! | volume | what it is |
//! | --- | --- |
//! | `TEMPLATE.qcow2` | a template |
//! | `TEMPLATE.unfinished` | beside a template that is still being made |
//! | `NAME.ID.appliance.qcow2` | the disk of an appliance, based on its template; ID is the appliance's |
//! | `NAME.ID.extra.qcow2` | its extra disk |
//!
//! NAME is that at creation: an appliance keeps its volumes when it is renamed, and finds them by its domain's disks.
//! Other volumes are never touched.

use virt::{error::ErrorNumber, storage_pool::StoragePool, storage_vol::StorageVol, sys};

use super::{
    daemon::Call,
    errors::{Doing, invalid, is},
    seen::{Seen, SeenVolume},
};
use crate::driver::{DriverError, Reason, Result, Tags};

const TEMPLATE: &str = ".qcow2";
const UNFINISHED: &str = ".unfinished";
const DISK: &str = ".appliance.qcow2";
const EXTRA: &str = ".extra.qcow2";
/// Longest name of an appliance or template, in bytes: with an id and our endings it must fit into a file name of 255.
const LONGEST_NAME: usize = 200;

/// Name of the volume that is an appliance's disk.
pub(super) fn disk_name(appliance: &str, tags: &Tags) -> String {
    format!("{appliance}.{}{DISK}", tags.appliance_id)
}

/// Name of the volume that is the extra disk of the appliance with this disk; `None` if that is not a disk of ours.
pub(super) fn extra_name(disk_path: &str) -> Option<String> {
    let name = disk_path.rsplit('/').next()?;
    Some(format!("{}{EXTRA}", name.strip_suffix(DISK)?))
}

/// Path of that volume, beside the disk.
pub(super) fn extra_path(disk_path: &str) -> Option<String> {
    let (directory, _) = disk_path.rsplit_once('/')?;
    Some(format!("{directory}/{}", extra_name(disk_path)?))
}

/// Whether the file is a volume that we made for an appliance.
pub(super) fn belongs_to_appliance(path: &str) -> bool {
    path.ends_with(DISK) || path.ends_with(EXTRA)
}

/// Name of the volume that is this template.
pub(super) fn template_volume_name(template: &str) -> Result<String> {
    check_name(template)?;
    let name = format!("{template}{TEMPLATE}");
    if belongs_to_appliance(&name) {
        return Err(invalid(format!(
            "{template:?} cannot be the name of a template: its ending marks disks of appliances"
        )));
    }
    Ok(name)
}

/// Name of the marker beside a template that is being made.
pub(super) fn marker_name(template: &str) -> String {
    format!("{template}{UNFINISHED}")
}

/// Refuses names that cannot be those of files.
pub(super) fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > LONGEST_NAME
        || name.starts_with('.')
        || name.chars().any(|c| c == '/' || c.is_control());
    if !bad {
        return Ok(());
    }
    Err(invalid(format!(
        "{name:?} cannot be a name: use 1 to {LONGEST_NAME} bytes without slashes and control characters, not beginning with a dot"
    )))
}

/// Names of the templates among these volumes.
pub(super) fn templates_among(volumes: &[String]) -> Vec<String> {
    let unfinished: Vec<_> = volumes.iter().filter_map(|volume| volume.strip_suffix(UNFINISHED)).collect();
    let mut templates: Vec<_> = volumes
        .iter()
        .filter(|volume| !belongs_to_appliance(volume))
        .filter_map(|volume| volume.strip_suffix(TEMPLATE))
        .filter(|template| check_name(template).is_ok() && !unfinished.contains(template))
        .map(str::to_owned)
        .collect();
    templates.sort_unstable();
    templates
}

/// Names of all volumes, files that were put there behind libvirt's back included.
pub(super) fn all(pool: &StoragePool) -> Result<Vec<String>> {
    refresh(pool)?;
    let volumes = pool.list_all_volumes(0).doing("list the volumes of the storage pool")?;
    volumes.iter().map(|volume| volume.name().doing("read the name of a volume")).collect()
}

/// Makes libvirt look at the files again.
pub(super) fn refresh(pool: &StoragePool) -> Result<()> {
    match pool.refresh(0) {
        // Some volume is being written just now. Those known are still listed, and the next look finds the others.
        Err(error) if is(&error, ErrorNumber::InternalError) && error.message().contains("asynchronous jobs") => Ok(()),
        result => result.map(drop).doing("refresh the storage pool"),
    }
}

/// The volume of this name.
pub(super) fn find(pool: &StoragePool, name: &str) -> Result<Option<StorageVol>> {
    match pool.lookup_storage_vol_by_name(name) {
        Err(error) if is(&error, ErrorNumber::NoStorageVolume) => Ok(None),
        result => result.map(Some).doing(format_args!("look for the volume {name:?}")),
    }
}

/// The volume that is this template; one that appeared behind libvirt's back is found too.
pub(super) fn template(pool: &StoragePool, template: &str) -> Result<StorageVol> {
    let missing = |why: &str| DriverError::new(Reason::TemplateNotFound, format!("the template {template:?} {why}"));
    let name = template_volume_name(template)?;
    let mut found = find(pool, &name)?;
    if found.is_none() {
        refresh(pool)?;
        found = find(pool, &name)?;
    }
    let found = found.ok_or_else(|| missing("is not in the storage pool: put it there, or use another"))?;
    if find(pool, &marker_name(template))?.is_some() {
        return Err(missing("is not finished: wait until it is made"));
    }
    Ok(found)
}

/// What libvirt knows of the volume.
pub(super) fn look(volume: &StorageVol) -> Result<SeenVolume> {
    SeenVolume::parse(&volume.xml_desc(0).doing("look at a volume")?)
}

/// Makes an appliance's volume; one of this name that no domain uses is a leftover and replaced.
pub(super) fn create(call: &Call, pool: &StoragePool, name: &str, xml: &str) -> Result<StorageVol> {
    if let Some(leftover) = find(pool, name)? {
        let path = look(&leftover)?.path;
        if let Some(user) = user_of(call, &path)? {
            let message = format!("the volume {name:?} is a disk of {user}: delete that, or choose another name");
            return Err(DriverError::new(Reason::NameTaken, message));
        }
        call.in_time()?;
        delete(&leftover, name)?;
    }
    call.in_time()?;
    StorageVol::create_xml(pool, xml, 0).doing(format_args!("create the volume {name:?}"))
}

/// Deletes a volume; done if it is absent.
pub(super) fn delete(volume: &StorageVol, name: &str) -> Result<()> {
    match volume.delete(sys::VIR_STORAGE_VOL_DELETE_NORMAL) {
        Err(error) if is(&error, ErrorNumber::NoStorageVolume) => Ok(()),
        result => result.doing(format_args!("delete the volume {name:?}")),
    }
}

/// Deletes the volume with this path; done if it is absent.
pub(super) fn delete_path(call: &Call, path: &str) -> Result<()> {
    match call.connection().lookup_storage_vol_by_path(path) {
        Err(error) if is(&error, ErrorNumber::NoStorageVolume) => Ok(()),
        result => delete(&result.doing(format_args!("look for the volume {path:?}"))?, path),
    }
}

/// The name of a domain that has this file as a disk. One call per domain: for rare cases only.
pub(super) fn user_of(call: &Call, path: &str) -> Result<Option<String>> {
    for domain in call.connection().list_all_domains(0).doing("list the domains")? {
        let xml = match domain.xml_desc(sys::VIR_DOMAIN_XML_INACTIVE) {
            Err(error) if is(&error, ErrorNumber::NoDomain) => continue,
            result => result.doing("look at a domain")?,
        };
        let seen = Seen::parse(&xml)?;
        if seen.disk_paths().any(|disk| disk == path) {
            return Ok(Some(seen.name));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions
mod tests {
    use super::*;

    #[test]
    fn only_finished_templates_are_listed() {
        let tags = Tags { installation_id: "i".into(), appliance_id: 7, epoch: 1 };
        let disk = disk_name("a", &tags);
        let volumes =
            ["b.qcow2", "a.qcow2", &disk, &extra_name(&disk).unwrap(), "half.qcow2", "half.unfinished", "x.iso"];
        assert_eq!(templates_among(&volumes.map(str::to_owned)), ["a", "b"]);
    }

    #[test]
    fn the_extra_disk_is_named_after_the_first() {
        assert_eq!(extra_name("/pool/a.7.appliance.qcow2").unwrap(), "a.7.extra.qcow2");
        assert_eq!(extra_name("/pool/a.img"), None);
    }

    #[test]
    fn names_that_are_no_file_names_are_refused() {
        for name in ["", ".", "../x", "a/b", "a\nb", &"x".repeat(201)] {
            assert_eq!(check_name(name).unwrap_err().reason, Reason::Invalid, "{name:?}");
        }
        assert!(template_volume_name("a.appliance").is_err());
    }
}
