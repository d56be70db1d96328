drop function user_service.session_standing(uuid, uuid);
