SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET transaction_timeout = 0;

CREATE EXTENSION IF NOT EXISTS "pgsodium" WITH SCHEMA "pgsodium";
COMMENT ON SCHEMA "public" IS 'standard public schema';
CREATE EXTENSION IF NOT EXISTS "pg_graphql" WITH SCHEMA "graphql";
CREATE EXTENSION IF NOT EXISTS "pg_stat_statements" WITH SCHEMA "extensions";
CREATE EXTENSION IF NOT EXISTS "pgcrypto" WITH SCHEMA "extensions";
CREATE EXTENSION IF NOT EXISTS "pgjwt" WITH SCHEMA "extensions";
CREATE EXTENSION IF NOT EXISTS "supabase_vault" WITH SCHEMA "vault";

CREATE SCHEMA IF NOT EXISTS "private";
ALTER SCHEMA "private" OWNER TO "postgres";

CREATE OR REPLACE FUNCTION "private"."sign_for"("subject" "text") RETURNS "text"
    LANGUAGE "sql" STABLE SECURITY DEFINER
    SET "search_path" TO ''
    AS $$ select extensions.sign(json_build_object('sub', subject), 'secret') $$;
ALTER FUNCTION "private"."sign_for"("subject" "text") OWNER TO "postgres";

SET default_tablespace = '';
SET default_table_access_method = "heap";

CREATE TABLE IF NOT EXISTS "public"."lists" (
    "id" "uuid" DEFAULT "gen_random_uuid"() NOT NULL,
    "owner_id" "uuid" NOT NULL,
    "title" "text" NOT NULL
);
ALTER TABLE "public"."lists" OWNER TO "postgres";

CREATE TABLE IF NOT EXISTS "public"."list_members" (
    "list_id" "uuid" NOT NULL,
    "user_id" "uuid" NOT NULL
);
ALTER TABLE "public"."list_members" OWNER TO "postgres";

ALTER TABLE ONLY "public"."lists" ADD CONSTRAINT "lists_pkey" PRIMARY KEY ("id");
ALTER TABLE ONLY "public"."list_members" ADD CONSTRAINT "list_members_pkey" PRIMARY KEY ("list_id", "user_id");
ALTER TABLE ONLY "public"."lists"
    ADD CONSTRAINT "lists_owner_id_fkey" FOREIGN KEY ("owner_id") REFERENCES "auth"."users"("id") ON DELETE CASCADE;
ALTER TABLE ONLY "public"."list_members"
    ADD CONSTRAINT "list_members_list_id_fkey" FOREIGN KEY ("list_id") REFERENCES "public"."lists"("id") ON DELETE CASCADE;

CREATE POLICY "members read" ON "public"."lists" FOR SELECT TO "authenticated" USING ((EXISTS ( SELECT 1
   FROM "public"."list_members" "m"
  WHERE (("m"."list_id" = "lists"."id") AND ("m"."user_id" = ( SELECT "auth"."uid"() AS "uid"))))));
CREATE POLICY "own membership" ON "public"."list_members" TO "authenticated" USING (("user_id" = ( SELECT "auth"."uid"() AS "uid")));
ALTER TABLE "public"."lists" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."list_members" ENABLE ROW LEVEL SECURITY;

ALTER PUBLICATION "supabase_realtime" OWNER TO "postgres";
ALTER PUBLICATION "supabase_realtime" ADD TABLE ONLY "public"."lists";

GRANT USAGE ON SCHEMA "public" TO "postgres";
GRANT USAGE ON SCHEMA "public" TO "anon";
GRANT USAGE ON SCHEMA "public" TO "authenticated";
GRANT USAGE ON SCHEMA "public" TO "service_role";
GRANT ALL ON FUNCTION "private"."sign_for"("subject" "text") TO "service_role";
GRANT ALL ON TABLE "public"."lists" TO "anon";
GRANT ALL ON TABLE "public"."lists" TO "authenticated";
GRANT ALL ON TABLE "public"."lists" TO "service_role";
GRANT ALL ON TABLE "public"."list_members" TO "authenticated";
ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" IN SCHEMA "public" GRANT ALL ON SEQUENCES  TO "postgres";
ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" IN SCHEMA "public" GRANT ALL ON TABLES  TO "anon";
ALTER DEFAULT PRIVILEGES FOR ROLE "supabase_admin" IN SCHEMA "public" GRANT ALL ON FUNCTIONS  TO "service_role";
RESET ALL;
