@NullMarked
package io.ambo.hatests.report;

import org.jspecify.annotations.NullMarked;
