/** The whole cluster in one thread from one seed: several nodes of real code on a simulated clock, network and membership. */
@NullMarked
package io.ambo.hatests.sim;

import org.jspecify.annotations.NullMarked;
