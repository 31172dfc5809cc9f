"""The ground truth of data sets as annotation tools save or export them, a module for each tool."""
