#!/bin/sh
# Twenty-two reads of the trade as members ask them, through the data API, on a thousand companies: the large one (200,000 customers) and a
# small one (1,000) apart, p50 and p95 beside what the documents want; the plans of all of them, as the server ran them; and some of them
# again while somebody imports. SCALE (1.0, at least 0.003: three companies) makes it smaller, CONNECTIONS (4) and SECONDS_EACH (3) shorter; DATA keeps a folder with the
# companies for the next run, which takes it as it is. PROFILE=dev measures a program that was built faster.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
scale=${SCALE:-1.0} seconds=${SECONDS_EACH:-3} connections=${CONNECTIONS:-4} profile=${PROFILE:-release}
cargo build --locked --quiet --profile "$profile" -p thorbis-server -p thorbis-load
[ "$profile" = dev ] && profile=debug
target=${CARGO_TARGET_DIR:-$root/target}/$profile
. "$root/dev.d/server.sh"
export THORBIS_LOG__FILTER=warn
place=$(mktemp -d "${TMPDIR:-/tmp}/thorbis-schema-XXXXXX")
# A server that root starts runs PostgreSQL as another user, who has to get into the folder.
chmod 711 "$place"
trap 'rm -rf "$place"' EXIT
data=${DATA:-$place/data}
if [ ! -e "$data/scale" ]; then
    env -u DATABASE_URL -u MIGRATOR_URL "$target/thorbis" migrate up --env development --data "$data" >/dev/null
    env -u DATABASE_URL -u MIGRATOR_URL "$target/thorbis" seed --env development --data "$data" --scale "$scale" --yes | tail -n 1
    echo "$scale" >"$data/scale"
fi
scale=$(cat "$data/scale")
start_server "$target/thorbis"
anon=$(said 'anon key') service=$(said 'service key' | sed 's/.* //')
sql() { "$target/thorbis" psql --data "$data" -- --quiet --no-psqlrc --tuples-only --no-align "$@"; }

# company NUMBER: its id; user NUMBER PLACE: the id of one of its people: 0 owner, 2 technician, 10 dispatcher.
company() { printf '01910000-0000-7000-8000-%012d' "$1"; }
user() { printf '01910000-0000-7%03x-8100-%012x' "$1" "$2"; }
# token NUMBER PLACE: signs somebody in.
token() {
    id=$(user "$1" "$2")
    mail=$(sql -c "select email from auth.users where id = '$id'")
    curl -sf -X PUT "$url/auth/v1/admin/users/$id" -H "apikey: $service" -H "authorization: Bearer $service" -H 'content-type: application/json' \
        -d "{\"password\":\"bench-$id\"}" >/dev/null
    curl -sf "$url/auth/v1/token?grant_type=password" -H "apikey: $anon" -H 'content-type: application/json' \
        -d "{\"email\":\"$mail\",\"password\":\"bench-$id\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/'
}
# fill NAME SQL: what a query may ask for, for each company apart.
fill() {
    for number in 1 2; do
        echo "select v from ($(echo "$2" | sed "s/:company/'$(company "$number")'/")) v (v) order by hashtext(v::text) limit 500" | sql -f - >"$folder/$1.$number"
    done
}
fill customer "select id from public.customers where company_id = :company and substr(id::text, 36) = '7' and total_invoices > 0"
fill phone "select replace(phone, '+', '%2B') from public.customers where company_id = :company and substr(id::text, 36) = '3'"
fill name "select lower(left(last_name, 5)) from public.customers where company_id = :company"
fill job "select id from public.jobs where company_id = :company and substr(id::text, 36) = '7'"
fill invoice "select id from public.invoices where company_id = :company and substr(id::text, 36) = '7'"
has() { [ -n "$(sql -c "select 1 from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace and proname = '$1' limit 1")" ]; }

monday=$(date -u -d "-$(($(date -u +%u) - 1)) days" +%Y-%m-%d) next=$(date -u -d "+$((8 - $(date -u +%u))) days" +%Y-%m-%d) today=$(date -u +%Y-%m-%d)
customer_columns=id,display_name,email,phone,city,status,outstanding_balance
week="schedules?select=id,title,start_time,end_time,status,assigned_to&start_time=gte.${monday}T00:00:00Z&start_time=lt.${next}T00:00:00Z&order=start_time"
# name, wanted p95 in ms, who asks, values, path
cat >"$folder/queries" <<TEXT
customers, newest|200|owner||customers?select=$customer_columns&order=created_at.desc,id&limit=50
customers, page 20|200|owner||customers?select=$customer_columns&order=created_at.desc,id&limit=50&offset=900
customers of a status|200|owner||customers?select=$customer_columns&status=eq.inactive&order=created_at.desc&limit=50
customer|50|owner|customer|customers?id=eq.{v}
customer by phone|100|owner|phone|customers?select=$customer_columns&phone=eq.{v}
customer search|100|owner|name|$(if has search_customers; then echo 'rpc/search_customers?query={v}'; else echo "customers?select=$customer_columns&display_name=ilike.*{v}*&limit=20"; fi)
properties of a customer|50|owner|customer|properties?customer_id=eq.{v}
timeline of a customer|300|owner|customer|jobs?select=id,job_number,title,status,scheduled_start&customer_id=eq.{v}&order=created_at.desc
invoices of a customer|50|owner|customer|invoices?select=id,invoice_number,status,total_amount,balance_amount&customer_id=eq.{v}&order=created_at.desc
jobs, newest|200|owner||jobs?select=id,job_number,title,status,scheduled_start,total_amount&order=created_at.desc,id&limit=50
jobs of a status|200|owner||jobs?select=id,job_number,title,status,scheduled_start&status=eq.scheduled&order=created_at.desc&limit=50
job|50|owner|job|jobs?id=eq.{v}
week's schedule|300|dispatcher||$week&limit=200
technician's week|100|technician||$week
technician's jobs|100|technician||jobs?select=id,job_number,title,status,scheduled_start&order=scheduled_start.desc&limit=50
estimates that wait|200|owner||estimates?select=id,estimate_number,status,total_amount,valid_until&status=eq.sent&order=created_at.desc&limit=50
invoices, newest|200|owner||invoices?select=id,invoice_number,status,total_amount,due_date&order=created_at.desc,id&limit=50
overdue invoices|200|owner||invoices?select=id,invoice_number,customer_id,balance_amount,due_date&status=eq.overdue&order=due_date&limit=50
lines of an invoice|50|owner|invoice|invoice_line_items?invoice_id=eq.{v}&order=position
payments, newest|200|owner||payments?select=id,payment_number,amount,status,completed_at&order=created_at.desc,id&limit=50
price book|100|owner||price_book_items?select=id,name,sku,unit,price&is_active=is.true&order=name&limit=200
dashboard|500|owner||$(if has company_kpis; then echo 'rpc/company_kpis'; else echo "schedules?select=id,title,start_time,status&start_time=gte.${today}T00:00:00Z&status=in.(scheduled,confirmed,in_progress)&order=start_time&limit=20"; fi)
TEXT
for number in 1 2; do
    token "$number" 0 >"$folder/owner.$number"
    token "$number" 2 >"$folder/technician.$number"
    token "$number" 10 >"$folder/dispatcher.$number"
done

# asked NUMBER WHO VALUES PATH SECONDS CONNECTIONS
asked() {
    set -- "$1" "$(cat "$folder/$2.$1")" "${3:+$folder/$3.$1}" "$4" "$5" "$6"
    "$target/load" --address "${url#http://}" --path "/rest/v1/$4" ${3:+--values "$3"} --connections "$6" --seconds "$5" \
        --header "apikey: $anon" --header "authorization: Bearer $2" --header "x-company-id: $(company "$1")"
}
# A query that is refused or finds nothing is fast, and says nothing: the run has failed.
wrong() {
    echo "$1: $2"
    exit 1
}
field() { echo "$1" | sed "s/.*\"$2\":\([0-9]*\).*/\1/"; }
reconnect() {
    sql -c 'select pg_reload_conf()' >/dev/null
    sql -c "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()" >/dev/null
}

# What PostgreSQL ran for each of them, as the member it ran for: a plan that reads a whole table read all companies.
sql -c "load 'auto_explain'" -c "alter system set session_preload_libraries = 'auto_explain'" -c 'alter system set auto_explain.log_min_duration = 0' \
    -c "alter system set auto_explain.log_nested_statements = on"
reconnect
# What the server itself does now and then, for all companies at once, is no query of a member: entries that name such a function go.
but_upkeep() {
    awk '/ LOG:  / { if (entry !~ upkeep) printf "%s", entry; entry = "" } { entry = entry $0 "\n" } END { if (entry !~ upkeep) printf "%s", entry }' \
        upkeep='app[.](expire|expire_[a-z]+|archive_jobs|refresh_figures|rebuild_figures|recount_months|seal_audit|make_partitions)[(]'
}
scans=0
tables='customers|properties|equipment|jobs|schedules|bookings|estimates|estimate_line_items|invoices|invoice_line_items|payments|price_book_items'
log=$data/postgres/log
while IFS='|' read -r name wanted who values path; do
    for number in 1 2; do
        before=$(cat "$log"/postgresql-* | wc -c)
        asked "$number" "$who" "$values" "$path" 1 1 >"$folder/answer" || wrong "$name, company $number" "$(cat "$folder/answer")"
        cat "$log"/postgresql-* | tail -c "+$before" | but_upkeep >"$folder/plans"
        grep -q 'Scan .* on ' "$folder/plans" || { echo "no plan of $name was seen"; exit 1; }
        if grep -E "Seq Scan on (public\.)?($tables)( |\$)" "$folder/plans" >"$folder/scans"; then
            scans=$((scans + 1))
            echo "a scan across companies: $name, company $number: $(sort "$folder/scans" | uniq -c | sort -rn | head -n 1)"
        fi
    done
done <"$folder/queries"
sql -c "load 'auto_explain'" -c 'alter system reset session_preload_libraries' -c 'alter system reset auto_explain.log_min_duration' \
    -c 'alter system reset auto_explain.log_nested_statements'
reconnect

printf '%-28s %8s %10s %10s %10s %10s\n' 'p50 and p95 in ms' wanted large p95 small p95
: >"$folder/over"
while IFS='|' read -r name wanted who values path; do
    line=$(printf '%-28s %8s' "$name" "$wanted")
    for number in 1 2; do
        asked "$number" "$who" "$values" "$path" 1 "$connections" >"$folder/answer" || wrong "$name, company $number" "$(cat "$folder/answer")"
        answer=$(asked "$number" "$who" "$values" "$path" "$seconds" "$connections") || wrong "$name, company $number" "$answer"
        p50=$(field "$answer" p50_us) p95=$(field "$answer" p95_us)
        [ "$p95" -le "$((wanted * 1000))" ] || echo "$name, company $number" >>"$folder/over"
        line="$line $(echo "$p50 $p95" | awk '{ printf "%10.1f %10.1f", $1 / 1000, $2 / 1000 }')"
    done
    echo "$line"
done <"$folder/queries"

# Somebody imports customers into another company meanwhile, 2,000 in a transaction.
while :; do
    sql -c "set role app_owner" -c "insert into public.customers (company_id, first_name, last_name, email, created_by)
        select '$(company 3)', 'Imported', n::text, 'imported' || gen_random_uuid() || '@example.com', null from generate_series(1, 2000) n"
done >"$folder/import" 2>&1 &
import=$!
during=
grep -E "^(customers, newest|week's schedule|overdue invoices)" "$folder/queries" >"$folder/again"
while IFS='|' read -r name wanted who values path; do
    answer=$(asked 1 "$who" "$values" "$path" "$seconds" "$connections") || {
        kill "$import" 2>/dev/null || true
        wrong "$name, during an import" "$answer"
    }
    echo "during an import: $name $(echo "$(field "$answer" p50_us) $(field "$answer" p95_us)" | awk '{ printf "%.1f, p95 %.1f", $1 / 1000, $2 / 1000 }')"
    [ "$(field "$answer" p95_us)" -le "$((wanted * 1000))" ] || during="$during $name;"
done <"$folder/again"
kill "$import" 2>/dev/null || true
wait "$import" 2>/dev/null || true
imported=$(sql -c "select count(*) from public.customers where company_id = '$(company 3)' and first_name = 'Imported'")
sql -c "delete from public.customers where company_id = '$(company 3)' and first_name = 'Imported'"

over=$(wc -l <"$folder/over")
[ "$over" = 0 ] || sed 's/^/over: /' "$folder/over"
echo "scale $scale: $(wc -l <"$folder/queries") queries as members at $connections connections, $((2 * $(wc -l <"$folder/queries") - over)) of" \
    "$((2 * $(wc -l <"$folder/queries"))) within what is wanted at p95, $scans with a scan across companies, $imported rows imported beside${during:+; over meanwhile:$during}"
[ "$imported" -gt 0 ] || { cat "$folder/import"; exit 1; }
