// A packet that Java has forwarded although its flow is in the cache: it was on its way when the flow came there, or it was not for stage 0. The entry
// hears of it, so that its counters stay those of all packets and its halves as strict as Java's. Called by Java, under the lock of the session.
#pragma once

#include "flow.h"

static __always_inline void join_half(struct ambo_half *known, const struct ambo_half *news)
{
    if (is_after(news->seq_end, known->seq_end)) known->seq_end = news->seq_end;
    if (is_after(news->max_end, known->max_end)) known->max_end = news->max_end;
    if (is_after(news->ack, known->ack)) known->ack = news->ack;
    if (news->max_window > known->max_window) known->max_window = news->max_window;
}

// Returns 1; or 0 when the flow is not in the cache, or another life of it.
SEC("syscall")
int ambo_account_for(struct ambo_account *told)
{
    struct ambo_flow_key6 key = told->key;
    struct ambo_flow *flow = told->ipv6 ? bpf_map_lookup_elem(&flows6, &key) : bpf_map_lookup_elem(&flows4, &key);
    if (!flow || flow->created != told->created || flow->epoch != told->epoch || (flow->flags & AMBO_FLOW_REDIRECT)) return 0;
    struct ambo_direction *direction = &flow->direction[told->from & 1];
    __sync_fetch_and_add(&direction->packets, 1);
    __sync_fetch_and_add(&direction->bytes, told->bytes);
    direction->last_seen_ns = bpf_ktime_get_ns(); // the coarse clock is not for programs of this type
    if (key.protocol != IPPROTO_TCP && told->ipv6) return 1;
    if (!told->ipv6 && ((struct ambo_flow_key4 *)&key)->protocol != IPPROTO_TCP) return 1;
    // Another node has seen packets of it since it was installed: from now on there must be slack.
    if (!(told->flags & AMBO_FLOW_SEEN_WHOLE)) flow->flags &= ~AMBO_FLOW_SEEN_WHOLE;
    struct ambo_half low = told->half[0], high = told->half[1];
    join_half(&flow->half[0], &low);
    join_half(&flow->half[1], &high);
    return 1;
}
