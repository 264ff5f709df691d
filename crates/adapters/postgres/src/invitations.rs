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
/// The invitation's row lock makes racing users of one code queue up; whoever comes second finds it accepted.
pub(crate) fn take_membership(
    connection: &mut PgConnection,
    code: &InviteCode,
    user: UserId,
    at: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let found: Option<(Uuid, Uuid)> = invitations::table
        .filter(invitations::code.eq(code.as_str()).and(invitations::status.eq("pending")))
        .filter(invitations::expires_at.gt(at))
        .select((invitations::id, invitations::membership_id))
        .for_update()
        .first(connection)
        .optional()?;
    let Some((invitation, membership)) = found else {
        return Ok(None);
    };
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
