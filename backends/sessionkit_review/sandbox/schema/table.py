"""The studio schema, one paragraph per entity type.

A paragraph begins with `Name`, `Name < Base` (which inherits every attribute of the base) and, where the
primary key is not a generated `id`, `(key, ...)`. The indented words below it are attributes:

    name                 a string                     status>Status         a reference and its `status_id`
    bid:number           integer, number, boolean,    author>User@user_id   a reference kept in `user_id`
                         date, json, object, any      latest>Version@       a reference nobody stores
    notes[Note]          a collection                 metadata{Metadata}    a collection mapped by key

followed by flags - `!` required, `~` immutable, `^` computed, `+` default projection, `%` always sent,
`-` never sent - and `=default`, where `{Type:Name}` is the id of that built-in entity.
"""

STUDIO = """
Context
    name!+="" context_type!+% parent>Context project_id:key created_by>User~ created_at:date~
    thumbnail>Component thumbnail_url:object~^ link~ _link~ children[Context] assets[Asset] notes[Note]
    timelogs[Timelog] managers[Manager] scopes[Scope] appointments[Appointment]
    assignments[Appointment] allocations[Appointment] custom_attributes{ContextCustomAttributeValue}
    custom_attribute_links{CustomAttributeLink}-
Project < Context
    full_name status!="active" root color start_date:date end_date:date is_global:boolean!=false
    is_private:boolean=false project_schema>ProjectSchema! disk>Disk calendar_events[CalendarEvent]
    review_sessions[ReviewSession] descendants[TypedContext] metadata{Metadata}
    user_security_role_projects[UserSecurityRoleProject]
TypedContext < Context
    project>Project% object_type>ObjectType!~% status>Status! type>Type! priority>Priority!={Priority:None}
    description start_date:date end_date:date bid:number! sort:number! time_logged:number~^
    bid_time_logged_difference:number~^ ancestors[TypedContext] descendants[TypedContext]
    incoming_links[TypedContextLink] outgoing_links[TypedContextLink] status_changes[StatusChange]
    lists[TypedContextList] metadata{Metadata}
Task < TypedContext
    object_type_id:key!~%={ObjectType:Task}
Shot < TypedContext
    object_type_id:key!~%={ObjectType:Shot}
Sequence < TypedContext
    object_type_id:key!~%={ObjectType:Sequence}
Episode < TypedContext
    object_type_id:key!~%={ObjectType:Episode}
Folder < TypedContext
    object_type_id:key!~%={ObjectType:Folder}
AssetBuild < TypedContext
    object_type_id:key!~%={ObjectType:AssetBuild}
Milestone < TypedContext
    object_type_id:key!~%={ObjectType:Milestone}
TypedContextLink
    from>TypedContext!+ to>TypedContext!+ metadata{Metadata}
StatusChange
    parent_id parent_type status>Status from_status>Status user>User date:date
TypedContextStatusChange < StatusChange
    parent>TypedContext
AssetVersionStatusChange < StatusChange
    parent>AssetVersion
ObjectType
    name! icon!="default" sort:integer!=0 is_leaf:boolean=false is_typeable:boolean!=true
    is_statusable:boolean!=true is_taskable:boolean!=true is_schedulable:boolean!=false
    is_time_reportable:boolean!=false tasks[Task] project_schemas[ProjectSchema]
Type
    name color!="#510100" sort:integer!=0 is_billable:boolean!=true tasks[Task]
    task_type_schemas[TaskTypeSchema]
Status
    name color sort:integer=0 is_active:boolean!=true state>State tasks[Task]
State
    name short
Priority
    name color sort:integer=0 value:number=0 tasks[Task]
Scope
    name!
Disk
    name! unix windows projects[Project]
ProjectSchema
    name task_workflow_schema>WorkflowSchema asset_version_workflow_schema>WorkflowSchema
    task_type_schema>TaskTypeSchema _task_workflow>WorkflowSchema@ _version_workflow>WorkflowSchema@
    _task_type_schema>TaskTypeSchema@ object_types[ObjectType] object_type_schemas[Schema]
    _schemas[Schema] _overrides[ProjectSchemaOverride]
    task_workflow_schema_overrides[ProjectSchemaOverride] task_templates[TaskTemplate]
ProjectSchemaObjectType (object_type_id, project_schema_id)
    object_type>ObjectType project_schema>ProjectSchema
ProjectSchemaOverride
    project_schema_id:key type_id:key workflow_schema>WorkflowSchema
Schema
    project_schema_id:key! type_id:key! object_type_id:key statuses[SchemaStatus] types[SchemaType]
SchemaStatus (status_id, schema_id)
    sort:integer=0 task_status>Status@status_id schema_id:key
SchemaType (type_id, schema_id)
    sort:integer=0 task_type>Type@type_id schema_id:key
WorkflowSchema
    name="Workflow" statuses[Status] overrides[ProjectSchemaOverride]
WorkflowSchemaStatus (workflow_schema_id, status_id)
    workflow_schema_id:key status_id:key
TaskTypeSchema
    name="Task types" types[Type]
TaskTypeSchemaType (task_type_schema_id, type_id)
    task_type_schema_id:key type_id:key
TaskTemplate
    name!+ project_schema>ProjectSchema! items[TaskTemplateItem]
TaskTemplateItem
    template>TaskTemplate! task_type>Type!
Resource
    resource_type!% appointments[Appointment] assignments[Appointment] allocations[Appointment]
    dashboard_resources[DashboardResource]
User < Resource
    resource_type!~%="user" username! first_name last_name email is_active:boolean!=true
    is_otp_enabled:boolean is_totp_enabled:boolean require_details_update:boolean user_type>UserType
    thumbnail>Component thumbnail_url:object~^ timelogs[Timelog] memberships[Membership]
    user_security_roles[UserSecurityRole] metadata{Metadata} custom_attributes{UserCustomAttributeValue}
Group < Resource
    resource_type!~%="group" name!="" local:boolean!=true link~ parent>Group children[Group]
    memberships[Membership]
UserType
    name~
Membership
    user>User! group>Group!
SecurityRole
    name+ type:key user_security_roles[UserSecurityRole]
UserSecurityRole
    user>User+ security_role>SecurityRole+ is_all_projects:boolean is_all_open_projects:boolean
    user_security_role_projects[UserSecurityRoleProject]
UserSecurityRoleProject
    user_security_role>UserSecurityRole+ project>Project+
UserApplicationState (user_id, key)
    user_id:key key value!+
Appointment
    context>Context! resource>Resource! type!
Manager
    user>User context>Context type>ManagerType
ManagerType
    name
Timelog
    user>User% context>Context% name comment!="" start:date! duration:number! time_zone_offset:number
Timer
    user>User! context>Context name comment!="" start:date!
CalendarEvent
    name!="" start:date!+ end:date!+ type>Type project>Project% created_by>User created_at:date
    everyone:boolean leave:boolean forecast:boolean effort:number estimate:number
    calendar_event_resources[CalendarEventResource] metadata{Metadata}
CalendarEventResource
    calendar_event>CalendarEvent!+ resource>Resource!+ created_by>User created_at:date
Asset
    name parent>Context@context_id%! type>AssetType versions[AssetVersion]
    latest_version>AssetVersion@^ metadata{Metadata} custom_attributes{AssetCustomAttributeValue}
AssetType
    name! short! component="main" assets[Asset]
AssetVersion
    asset>Asset% version:integer comment="" date:date user>User status>Status! task>Task
    is_published:boolean!=true is_latest_version:boolean~^ thumbnail>Component thumbnail_url:object~^
    link~ _link~ components[Component] notes[Note] lists[AssetVersionList] status_changes[StatusChange]
    incoming_links[AssetVersionLink] outgoing_links[AssetVersionLink] uses_versions[AssetVersion]
    used_in_versions[AssetVersion] review_session_objects[ReviewSessionObject] metadata{Metadata}
    custom_attributes{AssetVersionCustomAttributeValue} custom_attribute_links{CustomAttributeLink}-
AssetVersionLink
    from>AssetVersion!+ to>AssetVersion!+ metadata{Metadata}
Component
    name!="main" system_type!+% file_type size:integer=0 version>AssetVersion%
    container>ContainerComponent component_locations[ComponentLocation] metadata{Metadata}
    custom_attribute_links{CustomAttributeLink}-
FileComponent < Component
ContainerComponent < Component
    members[Component]
SequenceComponent < Component
    members[Component] padding:integer!=0
ComponentLocation
    component>Component% location>Location% resource_identifier url:object~^
Location
    name! label description location_components[ComponentLocation]
Note
    content author>User@user_id! date:date parent_id parent_type in_reply_to>Note replies[Note]
    category>NoteCategory is_todo:boolean=false completed_at:date completed_by>User thread_activity:date
    recipients[Recipient] note_components[NoteComponent] note_label_links[NoteLabelLink]
    metadata{Metadata}
NoteCategory
    name color sort:integer=0
NoteLabel
    name color sort:integer=0
NoteLabelLink (note_id, label_id)
    note>Note label>NoteLabel
NoteComponent (component_id, note_id)
    component>Component note>Note url:object~^ thumbnail_url:object~^
Recipient (note_id, resource_id)
    note>Note recipient>Resource@resource_id user>User@resource_id text_mentioned
ReviewSession
    name!="New review session" description!="" project>Project! start_date:date! end_date:date!
    created_by>User! created_at:date! is_open:boolean~^ is_moderated:boolean availability
    passphrase passphrase_enabled:boolean shareable_url_enabled:boolean
    thumbnail_id:key~^ thumbnail>Component@ thumbnail_url:object~^
    review_session_objects[ReviewSessionObject]
    review_session_invitees[ReviewSessionInvitee] settings[EntitySetting]
ReviewSessionInvitee
    name! email! review_session>ReviewSession!% created_by>User! created_at:date!
    last_sent_at:date created_from_shared_url:boolean~ statuses[ReviewSessionObjectStatus]
ReviewSessionObject
    name!="" description!="" version!="" asset_version>AssetVersion@version_id! sort_order:number!
    review_session>ReviewSession!% created_at:date! statuses[ReviewSessionObjectStatus] notes[Note]
ReviewSessionObjectStatus
    status review_session_object>ReviewSessionObject% created_at:date!
    invitee>ReviewSessionInvitee@review_session_invitee_id
Job
    type!~="api_job" status!="queued" data:json user>User created_at:date finished_at:date
    job_components[JobComponent]
JobComponent (component_id, job_id)
    component>Component job>Job url:object~^
List
    name="" category>ListCategory! project>Project!% owner>User@user_id date:date is_open:boolean!=true
    system_type="task" custom_attributes{ListCustomAttributeValue}
TypedContextList < List
    system_type="task" items[Task]
AssetVersionList < List
    system_type="assetversion" items[AssetVersion]
ListCategory
    name lists[List]
ListObject
    entity_id!+ list>List!+
Metadata (parent_id, key)
    parent_id key value!+ parent_type!+
Setting (name, group)
    name="default" group="default" value="default"
EntitySetting (parent_id, group, name)
    parent_id group name value!+ parent_type!+
CustomConfigurationBase
    key label entity_type object_type>ObjectType project_id sort:integer=0 core:boolean!=false
    config!="{}" group>CustomAttributeGroup read_security_roles[SecurityRole]
    write_security_roles[SecurityRole]
CustomAttributeConfiguration < CustomConfigurationBase
    type>CustomAttributeType default:any="" is_hierarchical:boolean=false values[CustomAttributeValue]
CustomAttributeLinkConfiguration < CustomConfigurationBase
    entity_type_to~ object_type_to>ObjectType@object_type_id_to~ one_to_one:boolean
CustomAttributeType
    name core:boolean!=true form_config
CustomAttributeGroup
    name+ custom_attribute_configurations[CustomAttributeConfiguration]
CustomAttributeValue (configuration_id, entity_id)
    configuration>CustomAttributeConfiguration entity_id value:any
ContextCustomAttributeValue < CustomAttributeValue
    key~+%
AssetCustomAttributeValue < CustomAttributeValue
    key~+%
AssetVersionCustomAttributeValue < CustomAttributeValue
    key~+%
UserCustomAttributeValue < CustomAttributeValue
    key~+%
ListCustomAttributeValue < CustomAttributeValue
    key~+%
CustomAttributeLink
    configuration>CustomAttributeLinkConfiguration!~ from_id! to_id!
Conversation
    created_by>User! created_at:date! messages[Message] participants[Participant]
Message
    text conversation>Conversation! created_by>User! created_at:date!
Participant
    conversation>Conversation! resource>Resource! last_visit:date
Dashboard
    name created_by>User is_shared_with_everyone:boolean=false widgets[DashboardWidget]
    dashboard_resources[DashboardResource]
DashboardWidget
    dashboard>Dashboard type sort:number config
DashboardResource (dashboard_id, resource_id)
    dashboard>Dashboard resource>Resource is_shared_with_everyone:boolean=false
Event
    action parent_id parent_type insert data user>User project>Project created_at:date
"""
