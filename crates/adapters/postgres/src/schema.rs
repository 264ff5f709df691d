// @generated automatically by Diesel CLI.

pub mod sql_types {
    #[derive(diesel::query_builder::QueryId, diesel::sql_types::SqlType)]
    #[diesel(postgres_type(name = "tsvector", schema = "pg_catalog"))]
    pub struct Tsvector;
}

diesel::table! {
    assignment_rounds (organization_id) {
        organization_id -> Uuid,
        period_start -> Timestamptz,
        slot -> Int4,
        after_id -> Uuid,
    }
}

diesel::table! {
    assignments (id) {
        id -> Uuid,
        organization_id -> Uuid,
        membership_id -> Uuid,
        user_id -> Uuid,
        course_id -> Uuid,
        course_version_id -> Uuid,
        state -> Text,
        source -> Text,
        percent -> Float8,
        progress -> Jsonb,
        progress_effective_at -> Nullable<Timestamptz>,
        progress_client_ms -> Nullable<Int8>,
        progress_hash -> Nullable<Bytea>,
        assigned_at -> Timestamptz,
        due_at -> Nullable<Timestamptz>,
        started_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
        last_event_at -> Nullable<Timestamptz>,
        withdrawn_at -> Nullable<Timestamptz>,
        updated_at -> Timestamptz,
        credited_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Uuid,
        at -> Timestamptz,
        actor_id -> Uuid,
        organization_id -> Nullable<Uuid>,
        action -> Text,
        subject_kind -> Text,
        subject_id -> Uuid,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
        request_id -> Text,
        ip -> Nullable<Text>,
    }
}

diesel::table! {
    category_courses (category_id, course_id) {
        category_id -> Uuid,
        course_id -> Uuid,
        position -> Int4,
    }
}

diesel::table! {
    category_job_titles (organization_id, job_title_key) {
        organization_id -> Uuid,
        job_title_key -> Text,
        category_id -> Uuid,
        job_title -> Text,
        position -> Int4,
    }
}

diesel::table! {
    champion_certifications (id) {
        id -> Uuid,
        user_id -> Uuid,
        date -> Date,
        expires_on -> Date,
        created_by -> Uuid,
        created_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    course_pool_overrides (team_id, training_category_id) {
        team_id -> Uuid,
        training_category_id -> Uuid,
        organization_id -> Uuid,
        course_ids -> Array<Nullable<Uuid>>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    course_versions (id) {
        id -> Uuid,
        course_id -> Uuid,
        number -> Int4,
        status -> Text,
        data -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        published_at -> Nullable<Timestamptz>,
        archived_at -> Nullable<Timestamptz>,
        lock_version -> Int4,
    }
}

diesel::table! {
    courses (id) {
        id -> Uuid,
        organization_id -> Nullable<Uuid>,
        name -> Text,
        description -> Nullable<Text>,
        basics -> Bool,
        position -> Int4,
        language_codes -> Array<Nullable<Text>>,
        archived_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    import_rows (import_id, position) {
        import_id -> Uuid,
        position -> Int8,
        line -> Nullable<Int8>,
        key -> Nullable<Text>,
        action -> Text,
        membership_id -> Nullable<Uuid>,
        problems -> Nullable<Jsonb>,
    }
}

diesel::table! {
    imports (id) {
        id -> Uuid,
        organization_id -> Uuid,
        key -> Text,
        etag -> Nullable<Text>,
        mode -> Text,
        dry_run -> Bool,
        state -> Text,
        is_confirmed -> Bool,
        run -> Nullable<Uuid>,
        applied_line -> Int8,
        missing_after -> Nullable<Uuid>,
        reported -> Int8,
        rows_count -> Int8,
        created_count -> Int8,
        updated_count -> Int8,
        unchanged_count -> Int8,
        reactivated_count -> Int8,
        deactivated_count -> Int8,
        rejected_count -> Int8,
        errors_total -> Int8,
        trouble_code -> Nullable<Text>,
        trouble_message -> Nullable<Text>,
        warnings -> Jsonb,
        created_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    invitations (id) {
        id -> Uuid,
        organization_id -> Uuid,
        membership_id -> Uuid,
        #[max_length = 6]
        code -> Bpchar,
        status -> Text,
        expires_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
        accepted_by -> Nullable<Uuid>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        sent_to -> Nullable<Citext>,
        sent_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    jobs (id) {
        id -> Uuid,
        organization_id -> Nullable<Uuid>,
        kind -> Text,
        subject -> Uuid,
        state -> Text,
        attempt -> Int4,
        run_at -> Timestamptz,
        locked_until -> Nullable<Timestamptz>,
        worker -> Nullable<Text>,
        percent -> Float8,
        error -> Nullable<Text>,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Tsvector;

    memberships (id) {
        id -> Uuid,
        organization_id -> Uuid,
        user_id -> Nullable<Uuid>,
        external_id -> Nullable<Text>,
        first_name -> Text,
        last_name -> Text,
        email -> Nullable<Citext>,
        job_title -> Nullable<Text>,
        org_admin -> Bool,
        status -> Text,
        hired_on -> Nullable<Date>,
        first_seen_at -> Timestamptz,
        reporting_starts_on -> Date,
        deactivated_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        account_first_name -> Nullable<Text>,
        account_last_name -> Nullable<Text>,
        search -> Tsvector,
        job_title_key -> Nullable<Text>,
    }
}

diesel::table! {
    organizations (id) {
        id -> Uuid,
        name -> Text,
        s3_integrations_folder -> Text,
        saml_info -> Nullable<Text>,
        sso_enforced -> Bool,
        time_zone -> Text,
        cadence -> Text,
        reporting_grace_days -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        late_window_days -> Int4,
        recycle_after_days -> Int4,
        import_mode -> Text,
    }
}

diesel::table! {
    password_resets (id) {
        id -> Uuid,
        user_id -> Uuid,
        token_hash -> Bytea,
        redirect_url -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    progress_events (dedupe_key, client_at) {
        number -> Int8,
        dedupe_key -> Bytea,
        client_at -> Timestamptz,
        organization_id -> Uuid,
        assignment_id -> Uuid,
        event_type -> Text,
        player_session_id -> Uuid,
        client_ms -> Int8,
        effective_at -> Timestamptz,
        credited_at -> Timestamptz,
        received_at -> Timestamptz,
        percent -> Nullable<Float8>,
        progress -> Jsonb,
        stale -> Bool,
        written_in -> Int8,
        state_after -> Nullable<Text>,
        percent_after -> Nullable<Float8>,
    }
}

diesel::table! {
    progress_marks (membership_id, credited_from, assignment_id) {
        membership_id -> Uuid,
        credited_from -> Timestamptz,
        assignment_id -> Uuid,
        percent -> Float8,
    }
}

diesel::table! {
    refinements (id) {
        id -> Uuid,
        organization_id -> Uuid,
        team_id -> Uuid,
        data -> Jsonb,
        occurred_on -> Date,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    roster_stage (import_id, line) {
        line -> Int8,
        import_id -> Uuid,
        key -> Nullable<Text>,
        problems -> Nullable<Jsonb>,
        external_id -> Nullable<Text>,
        email -> Nullable<Text>,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        job_title -> Nullable<Text>,
        team -> Nullable<Text>,
        org_admin -> Nullable<Bool>,
        team_admin -> Nullable<Bool>,
        hired_on -> Nullable<Date>,
        status -> Nullable<Text>,
    }
}

diesel::table! {
    score_snapshots (team_id, week, formula_version) {
        team_id -> Uuid,
        organization_id -> Uuid,
        week -> Text,
        formula_version -> Int4,
        score -> Nullable<Int4>,
        components -> Jsonb,
        computed_at -> Timestamptz,
        final_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        client_id -> Text,
        token_hash -> Bytea,
        next_hash -> Nullable<Bytea>,
        prev_hash -> Nullable<Bytea>,
        prev_valid_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        absolute_expires_at -> Timestamptz,
        user_agent -> Nullable<Text>,
        ip -> Nullable<Text>,
    }
}

diesel::table! {
    team_admins (team_id, membership_id) {
        team_id -> Uuid,
        membership_id -> Uuid,
        organization_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    team_memberships (team_id, membership_id) {
        team_id -> Uuid,
        membership_id -> Uuid,
        organization_id -> Uuid,
        joined_at -> Timestamptz,
    }
}

diesel::table! {
    team_stints (team_id, membership_id, joined_at) {
        team_id -> Uuid,
        membership_id -> Uuid,
        organization_id -> Uuid,
        joined_at -> Timestamptz,
        left_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    teams (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        deleted_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        external_id -> Nullable<Text>,
    }
}

diesel::table! {
    training_categories (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        is_default -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Tsvector;

    users (id) {
        id -> Uuid,
        username -> Citext,
        provider -> Text,
        email -> Nullable<Citext>,
        first_name -> Text,
        last_name -> Text,
        password_hash -> Nullable<Text>,
        must_change_password -> Bool,
        staff_role -> Nullable<Text>,
        language -> Text,
        former_uid -> Nullable<Text>,
        uid_changed_at -> Nullable<Timestamptz>,
        last_sign_in_at -> Nullable<Timestamptz>,
        locked_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
        erased_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        search -> Tsvector,
    }
}

diesel::joinable!(assignment_rounds -> organizations (organization_id));
diesel::joinable!(assignments -> users (user_id));
diesel::joinable!(audit_log -> organizations (organization_id));
diesel::joinable!(audit_log -> users (actor_id));
diesel::joinable!(category_courses -> courses (course_id));
diesel::joinable!(category_courses -> training_categories (category_id));
diesel::joinable!(course_versions -> courses (course_id));
diesel::joinable!(course_versions -> users (created_by));
diesel::joinable!(courses -> organizations (organization_id));
diesel::joinable!(import_rows -> imports (import_id));
diesel::joinable!(imports -> organizations (organization_id));
diesel::joinable!(imports -> users (created_by));
diesel::joinable!(invitations -> users (accepted_by));
diesel::joinable!(jobs -> organizations (organization_id));
diesel::joinable!(memberships -> organizations (organization_id));
diesel::joinable!(memberships -> users (user_id));
diesel::joinable!(password_resets -> users (user_id));
diesel::joinable!(progress_events -> assignments (assignment_id));
diesel::joinable!(progress_marks -> assignments (assignment_id));
diesel::joinable!(progress_marks -> memberships (membership_id));
diesel::joinable!(refinements -> users (created_by));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(teams -> organizations (organization_id));
diesel::joinable!(training_categories -> organizations (organization_id));

diesel::allow_tables_to_appear_in_same_query!(
    assignment_rounds,
    assignments,
    audit_log,
    category_courses,
    category_job_titles,
    champion_certifications,
    course_pool_overrides,
    course_versions,
    courses,
    import_rows,
    imports,
    invitations,
    jobs,
    memberships,
    organizations,
    password_resets,
    progress_events,
    progress_marks,
    refinements,
    roster_stage,
    score_snapshots,
    sessions,
    team_admins,
    team_memberships,
    team_stints,
    teams,
    training_categories,
    users,
);
