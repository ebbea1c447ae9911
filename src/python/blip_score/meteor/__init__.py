from blip_score.meteor.meteor import Meteor  # noqa: F401
