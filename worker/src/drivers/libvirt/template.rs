//! Templates: found in the storage pool, made from appliances, deleted.

use virt::{storage_pool::StoragePool, storage_vol::StorageVol};

use super::{
    daemon::Call,
    errors::{Doing, invalid},
    life::must_be_off,
    look,
    volumes::{self, marker_name, template_volume_name},
    xml,
};
use crate::driver::{DriverError, Reason, Result};

/// Names of all templates. Costs three calls.
pub(super) fn list(call: &Call) -> Result<Vec<String>> {
    Ok(volumes::templates_among(&volumes::all(&call.pool()?)?))
}

/// Makes a template from an appliance that is off: a copy that needs no other volume. A marker beside it says until the
/// end that it is not finished, for libvirt can neither rename a volume nor say whether one is whole.
pub(super) fn make(call: &Call, name: &str, template: &str) -> Result<()> {
    let volume_name = template_volume_name(template)?;
    let domain = call.domain(name)?;
    must_be_off(&domain, name, "made a template")?;
    let seen = look::config(&domain)?;
    let path =
        seen.disk(xml::MAIN_DISK).ok_or_else(|| invalid(format!("{name} has no disk to make a template from")))?;
    let source =
        call.connection().lookup_storage_vol_by_path(path).doing(format_args!("look for the volume {path:?}"))?;
    let capacity = volumes::look(&source)?.capacity_bytes;
    let pool = call.pool()?;
    volumes::refresh(&pool)?;
    let marker_name = marker_name(template);
    let marker = volumes::find(&pool, &marker_name)?;
    let marker = match (volumes::find(&pool, &volume_name)?, marker) {
        (Some(_), None) => {
            let message = format!("there is a template {template} already: choose another name or delete that one");
            return Err(DriverError::new(Reason::NameTaken, message));
        }
        (Some(half), Some(marker)) => {
            call.in_time()?;
            volumes::delete(&half, &volume_name)?;
            marker
        }
        (None, Some(marker)) => marker,
        (None, None) => {
            call.in_time()?;
            StorageVol::create_xml(&pool, &xml::marker_volume(&marker_name), 0)
                .doing(format_args!("create the volume {marker_name:?}"))?
        }
    };
    call.in_time()?;
    if let Err(error) = StorageVol::create_xml_from(&pool, &xml::volume(&volume_name, capacity, None), &source, 0) {
        // libvirt removes what it began; the marker must not outlive it, nor the other way round.
        if volumes::find(&pool, &volume_name)?.is_none() {
            volumes::delete(&marker, &marker_name)?;
        }
        return Err(error).doing(format_args!("copy {name} to the template {template}"));
    }
    volumes::delete(&marker, &marker_name)
}

/// Deletes a template that nothing is based on. Looks at each volume and each domain: templates go rarely.
pub(super) fn delete(call: &Call, template: &str) -> Result<()> {
    let volume_name = template_volume_name(template)?;
    let pool = call.pool()?;
    volumes::refresh(&pool)?;
    if let Some(volume) = volumes::find(&pool, &volume_name)? {
        let path = volumes::look(&volume)?.path;
        let user = match linked_to(&pool, &path)? {
            None => volumes::user_of(call, &path)?,
            linked => linked,
        };
        if let Some(user) = user {
            return Err(invalid(format!("the template {template} is in use by {user}: delete that first")));
        }
        call.in_time()?;
        volumes::delete(&volume, &volume_name)?;
    }
    let marker_name = marker_name(template);
    volumes::find(&pool, &marker_name)?.map_or(Ok(()), |marker| volumes::delete(&marker, &marker_name))
}

/// The name of a volume that holds only what differs from the one with this path.
fn linked_to(pool: &StoragePool, path: &str) -> Result<Option<String>> {
    for volume in pool.list_all_volumes(0).doing("list the volumes of the storage pool")? {
        if volumes::look(&volume)?.backing.as_deref() == Some(path) {
            return volume.name().map(Some).doing("read the name of a volume");
        }
    }
    Ok(None)
}
