use chrono::{DateTime, Utc};
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::QueryResult;
use domain_kernel::{InviteCode, UserId};
use uuid::Uuid;

use crate::schema::{invitations, memberships};

/// Links the user to the membership that a pending code names, makes it active and marks the invitation accepted. Gives
/// the membership, or `None` when the code cannot be used.
///
/// The row lock makes racing users of one code queue up; whoever comes second finds the invitation accepted.
pub(crate) fn take_membership(
    connection: &mut PgConnection,
    code: &InviteCode,
    user: UserId,
    at: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let pending = invitations::table
        .filter(invitations::code.eq(code.as_str()).and(invitations::status.eq("pending")))
        .filter(invitations::expires_at.gt(at));
    let named: Option<Uuid> = pending.select(invitations::membership_id).first(connection).optional()?;
    let Some(membership) = named else { return Ok(None) };
    // First the membership, then its invitation: the order that everything else locks them in.
    let locked: Option<Uuid> = memberships::table
        .find(membership)
        .select(memberships::id)
        .for_update()
        .first(connection)
        .optional()?;
    let invitation: Option<Uuid> = pending
        .filter(invitations::membership_id.eq(membership))
        .select(invitations::id)
        .for_update()
        .first(connection)
        .optional()?;
    let (Some(membership), Some(invitation)) = (locked, invitation) else { return Ok(None) };
    let linked =
        diesel::update(memberships::table.find(membership).filter(memberships::status.eq("pending")))
            .set((
                memberships::user_id.eq(user.uuid()),
                memberships::status.eq("active"),
                memberships::updated_at.eq(at),
            ))
            .execute(connection)?;
    if linked == 0 {
        return Ok(None);
    }
    diesel::update(invitations::table.find(invitation))
        .set((
            invitations::status.eq("accepted"),
            invitations::accepted_at.eq(at),
            invitations::accepted_by.eq(user.uuid()),
            invitations::updated_at.eq(at),
        ))
        .execute(connection)?;
    Ok(Some(membership))
}
