package io.ambo.node.routing;

import io.ambo.cluster.metrics.CounterName;
import java.util.Locale;

/** What routing counts. The order is the id: add at the end. */
public enum RoutingCounter implements CounterName {
    ROUTE_LOOKUPS("times the kernel was asked for a route because the worker's cache did not have it"), ROUTE_LOOKUPS_FAILED(
            "route lookups that the kernel did not answer, or not with a route"), ROUTE_CACHE_RENEWALS(
                    "times all cached routes were given up because routes, links or addresses changed"), NEIGHBOURS_SOLICITED(
                            "times the kernel was asked to resolve or to revalidate a neighbour"), NEIGHBOURS_REFUSED(
                                    "solicitations that the kernel refused, and hops beyond what Ambo follows"), NETLINK_OVERFLOWS(
                                            "times the kernel lost netlink events and everything was read again");

    private final String help;

    RoutingCounter(String help) { this.help = help; }

    @Override
    public String label() { return name().toLowerCase(Locale.ROOT); }

    @Override
    public String help() { return help; }
}
